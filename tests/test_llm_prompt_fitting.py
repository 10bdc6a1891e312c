"""What is shown of a program that is longer than the context, and how answers are joined."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench import PassList, Session, feature_names, load_program, make_action_set

fitting: Any = importlib.import_module("llmopt_bench.agents.llm.fitting")
module_text: Any = importlib.import_module("llmopt_bench.agents.llm.module_text")
prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt")
Answer, Problem, Rule, View = prompt.Answer, prompt.Problem, prompt.Rule, prompt.View

MODULE = "bundled-v1/aes128_modes"
FUNCTION = "bundled-functions-v1/aes128_modes/from_hex"
TEXT = """\
target triple = "x86_64-unknown-linux-gnu"
%pair = type { i32, %inner }
%inner = type { i8 }
%unused = type { i64 }
@table = internal constant [2 x ptr] [ptr @small, ptr @"odd name"]
@"odd name" = global i32 0
declare i32 @puts(ptr)
define internal i32 @small(ptr byval(%pair) align 8 %0) {
ret i32 1
}
define void @long(ptr %0) {
%2 = load ptr, ptr @table
%3 = call i32 @small(ptr byval(%pair) align 8 %0)
ret void
}
define i32 @main() {
%1 = call i32 @puts(ptr null)
ret i32 %1
}"""
HEAD = """\
; features (those that are not here are 0):
; TotalInsts = 4
define void @long(ptr %0) {
%2 = load ptr, ptr @table
; left out: 3 more lines, and declarations of what these lines mention"""


def size(view: Any) -> int:
    return len(view.text)


def fit(ir: str, limit: int, features: Any = lambda _: {"TotalInsts": 4, "NumXorInst": 0}) -> Any:
    return fitting.fit(ir, size, limit, features=features)


def never(_: str) -> dict[str, int]:
    raise AssertionError("no features are needed here")


@pytest.fixture(scope="module", params=[True, False], ids=["normalized", "plain"])
def module_ir(request: pytest.FixtureRequest) -> str:
    return Session(MODULE).ir(normalized=request.param)


@pytest.fixture(scope="module")
def function_ir() -> str:
    return Session(FUNCTION).ir(normalized=True)


def opened(ir: str, folder: Path) -> Session:
    file = folder / "part.ll"
    file.write_text(ir + "\n", encoding="utf-8")
    return Session(load_program(file.as_uri()))


def test_what_fits_is_shown_whole() -> None:
    whole = View(TEXT)
    assert fit(TEXT + "\n", len(TEXT), never) == fitting.Fitting(Rule.WHOLE, (whole,))
    assert fit(TEXT, len(TEXT) - 1, never).rule is Rule.FUNCTIONS


def test_a_module_is_split_longest_function_first() -> None:
    found = fit(TEXT, len(TEXT) - 1, never)
    shown = [(view.function, view.lines, view.rule) for view in found.views]
    assert shown == [
        ("@long", 5, Rule.WHOLE),
        ("@main", 4, Rule.WHOLE),
        ("@small", 3, Rule.WHOLE),
    ]
    assert found.left_out == ()


def test_a_function_comes_with_what_it_mentions() -> None:
    found = fit(TEXT, len(TEXT) - 1, never)
    assert (
        found.views[0].text
        == """\
target triple = "x86_64-unknown-linux-gnu"
%pair = type { i32, %inner }
%inner = type { i8 }
@table = internal constant [2 x ptr] [ptr @small, ptr @"odd name"]
@"odd name" = global i32 0
declare i32 @small(ptr byval(%pair) align 8 %0)
define void @long(ptr %0) {
%2 = load ptr, ptr @table
%3 = call i32 @small(ptr byval(%pair) align 8 %0)
ret void
}"""
    )
    assert "@table" not in found.views[1].text


def test_parts_of_a_real_module_are_programs(module_ir: str, tmp_path: Path) -> None:
    parts = module_text.take_apart(module_ir)
    assert len(parts.functions) == module_ir.count("\ndefine ") + module_ir.startswith("define ")
    assert len(parts.functions) > 10
    whole = opened(module_ir.rstrip("\n"), tmp_path).instruction_count
    counts = [opened(parts.alone(one), tmp_path).instruction_count for one in parts.functions]
    assert sum(counts) == whole


def test_comdats_aliases_and_odd_names(tmp_path: Path) -> None:
    ir = """\
$only = comdat any
$group = comdat any
@"a b" = dso_local unnamed_addr alias i32 (), ptr @only
@v = linkonce_odr global i32 0, comdat($group)
define linkonce_odr i32 @only() comdat {
%1 = load i32, ptr @v
ret i32 %1
}
define linkonce_odr i32 @"c d"() comdat($group) {
%1 = call i32 @"a b"()
ret i32 %1
}"""
    parts = module_text.take_apart(ir)
    assert [one.name for one in parts.functions] == ["@only", '@"c d"']
    for one in parts.functions:
        assert opened(parts.alone(one), tmp_path).instruction_count == 2
    assert '@"a b" = external global i8\n' in parts.alone(parts.functions[1])


def test_only_so_many_functions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MAX_FUNCTIONS", 1)
    found = fit(TEXT, len(TEXT) - 1, never)
    assert [view.function for view in found.views] == ["@long"]
    assert found.left_out == ("@small", "@main")


def test_a_function_that_does_not_fit_shows_its_head() -> None:
    found = fit(TEXT, len(HEAD))
    assert found.views[0] == View(HEAD, Rule.HEAD, "@long", 5)
    assert found.rule is Rule.FUNCTIONS


def test_a_single_function_that_does_not_fit() -> None:
    lines = TEXT.split("\n")
    alone = "\n".join([*lines[:7], "declare i32 @small(ptr)", *lines[10:15]])
    assert fit(alone, len(HEAD)) == fitting.Fitting(Rule.HEAD, (View(HEAD, Rule.HEAD),))
    least = HEAD.replace("\n%2 = load ptr, ptr @table", "").replace("3 more", "4 more")
    assert fit(alone, len(least)) == fitting.Fitting(Rule.HEAD, (View(least, Rule.HEAD),))
    features = HEAD.partition("\ndefine")[0]
    expected = fitting.Fitting(Rule.FEATURES, (View(features, Rule.FEATURES),))
    assert fit(alone, len(features)) == expected
    assert fit(alone, len(features) - 1) == fitting.Fitting(Rule.NOTHING, (), ("@long",))


def test_a_prompt_may_have_a_shorter_form() -> None:
    prompt = importlib.import_module("llmopt_bench.agents.llm.prompt").make_prompt("compact")
    actions = make_action_set()
    asked = prompt.request(View(TEXT, Rule.TOTALS), actions)
    assert asked.removeprefix("[code]\n").startswith("all 5 ret 3 call 2 load 0")
    assert "define" in prompt.request(View(TEXT), actions)

    def measure(view: Any) -> int:
        return len(prompt.request(view, actions))

    found = fitting.fit(TEXT, measure, len(asked) + 9, prompt.brief, never)
    assert {view.rule for view in found.views} == {Rule.TOTALS}
    assert [view.function for view in found.views] == ["@long", "@main", "@small"]
    lines = TEXT.split("\n")
    alone = "\n".join([*lines[:7], "declare i32 @small(ptr)", *lines[10:15]])
    view = View(alone, Rule.TOTALS)
    found = fitting.fit(alone, measure, measure(view), prompt.brief)
    assert found == fitting.Fitting(Rule.TOTALS, (view,))
    assert fitting.fit(alone, measure, 1, prompt.brief).rule is Rule.NOTHING


def test_a_module_of_which_nothing_fits() -> None:
    expected = fitting.Fitting(Rule.NOTHING, (), ("@small", "@long", "@main"))
    assert fit(TEXT, 10) == expected


def test_a_function_may_fit_without_what_it_mentions() -> None:
    ir = "@big = global [9 x i8] c'" + "x" * 1_000 + "'\ndefine void @f() {\nret void\n}"
    found = fit(ir, 200)
    assert found.rule is Rule.HEAD
    assert found.views[0].text.endswith(
        "define void @f() {\nret void\n}\n"
        "; left out: 0 more lines, and declarations of what these lines mention"
    )


@settings(deadline=None)
@given(limit=st.integers(0, 3_000))
def test_whatever_the_limit_all_that_is_shown_fits(function_ir: str, limit: int) -> None:
    for text in (TEXT, function_ir):
        found = fit(text, limit)
        assert all(size(view) <= limit for view in found.views)
        assert bool(found.views) == (found.rule is not Rule.NOTHING)


@settings(deadline=None)
@given(limit=st.integers(250, 3_000))
def test_the_head_is_as_long_as_the_limit_allows(function_ir: str, limit: int) -> None:
    ir = function_ir
    (view,) = fit(ir, limit).views
    if view.rule is Rule.WHOLE:
        assert view.text == ir.rstrip("\n")
        return
    body = ir[ir.index("define ") : ir.index("\n}") + 2].splitlines()
    shown = view.text.splitlines()[2:-1]
    assert shown == body[: len(shown)]
    left_out = len(body) - len(shown)
    assert f"left out: {left_out} more lines" in view.text
    assert left_out == 0 or size(view) + len(body[len(shown)]) + 1 > limit


def test_features_by_name() -> None:
    session = Session(FUNCTION)
    found = fitting.autophase(session.ir(normalized=True))
    assert tuple(found) == feature_names("autophase")
    assert list(found.values()) == list(session.features("autophase"))


def test_features_of_a_part_of_a_module() -> None:
    found = fitting.fit(TEXT, size, 330)
    assert "; TotalInsts = 3\n" in found.views[0].text


def views(*lines: int) -> list[Any]:
    return [View("", function=f"@f{number}", lines=count) for number, count in enumerate(lines)]


def test_the_list_with_the_most_lines_is_taken() -> None:
    gvn, dce = Answer(PassList(["gvn"]), 3, 2, "x"), Answer(PassList(["dce"]))
    found = fitting.combine(list(zip(views(9, 5, 5), [gvn, dce, dce], strict=True)))
    assert found == Answer(PassList(["dce"]))
    found = fitting.combine(list(zip(views(10, 5, 5), [gvn, dce, dce], strict=True)))
    assert found == Answer(PassList(["gvn"]))


def test_one_answer_stays_as_it_is() -> None:
    answer = Answer(PassList(["gvn"]), 3, 2, "x", (Problem.UNKNOWN_PASS,), ("foo",))
    assert fitting.combine([(View(""), answer)]) is answer


def test_the_answer_for_the_only_function_that_is_shown() -> None:
    answer = Answer(PassList(["gvn"]), 3, 2, "x", (Problem.UNKNOWN_PASS,), ("foo",))
    expected = Answer(PassList(["gvn"]), problems=(Problem.UNKNOWN_PASS,), dropped=("foo",))
    assert fitting.combine([(views(5)[0], answer)]) == expected


def test_answers_without_a_list_have_no_vote() -> None:
    none = Answer(None, problems=(Problem.NO_LIST,))
    other = Answer(PassList(["gvn"]), problems=(Problem.UNKNOWN_PASS,), dropped=("foo",))
    found = fitting.combine(list(zip(views(9, 5), [none, other], strict=True)))
    problems = (Problem.NO_LIST, Problem.UNKNOWN_PASS)
    assert found == Answer(PassList(["gvn"]), problems=problems, dropped=("foo",))
    assert fitting.combine([(view, none) for view in views(2, 3)]).passes is None
    assert fitting.combine([]).passes is None
