"""The format of arXiv 2309.07062: prompt and answer to the letter, and how answers are read."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench import PassList, make_action_set

prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt")
Answer, Problem = prompt.Answer, prompt.Problem

ACTIONS = make_action_set("passes-v1")
PAPER = prompt.make_prompt("paper")
TWO = PassList(["Oz", "simplifycfg"])
IR = "define i32 @f(i32 %0) {\nret i32 %0\n}"
WHOLE = (
    f"Run passes Oz,simplifycfg to reduce instruction count from 14 to 7:\n[code]\n{IR}\n[/code]\n"
)
LISTS = st.lists(st.sampled_from(ACTIONS.names), max_size=12).map(PassList)
COUNTS = st.integers(0, 10**12)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="["), max_size=200)


def parse(text: str) -> Any:
    return PAPER.parse(text, ACTIONS)


def test_the_prompt_to_the_letter() -> None:
    expected = f"[code]\n{IR}\n[/code]\n"
    assert prompt.paper_prompt(IR) == expected
    assert prompt.paper_prompt(IR + "\n") == expected
    assert PAPER.request(prompt.View(IR), ACTIONS) == expected


def test_the_answer_to_the_letter() -> None:
    assert prompt.paper_answer(TWO, 14, 7, IR) == WHOLE
    assert prompt.paper_answer(TWO, 14, 7, IR + "\n") == WHOLE
    sentence = "Run passes Oz,simplifycfg to reduce instruction count from 14 to 7:\n"
    assert prompt.paper_answer(TWO, 14, 7, None) == sentence


def test_the_answer_of_the_empty_list() -> None:
    text = f"Run no passes to keep instruction count 14:\n[code]\n{IR}\n[/code]\n"
    assert prompt.paper_answer(PassList(), 14, 14, IR) == text
    assert parse(text) == Answer(PassList(), 14, 14, IR)


@pytest.mark.parametrize(
    ("passes", "before", "after"), [(TWO, -1, 2), (TWO, 3, -2), (PassList(), 3, 2)]
)
def test_answers_that_cannot_be(passes: PassList, before: int, after: int) -> None:
    with pytest.raises(ValueError, match="Measure both on the same program"):
        prompt.paper_answer(passes, before, after, None)


@settings(deadline=None)
@given(passes=LISTS, before=COUNTS, after=COUNTS, ir=LINES | st.none())
def test_what_is_written_is_read(passes: PassList, before: int, after: int, ir: str | None) -> None:
    after = after if passes else before
    code = None if ir is None else ir.rstrip("\n")
    text = prompt.paper_answer(passes, before, after, ir)
    assert parse(text) == Answer(passes, before, after, code)


@pytest.mark.parametrize("end", range(len("Run passes Oz,simplifycfg"), len(WHOLE) + 1))
def test_an_answer_may_end_anywhere_behind_its_list(end: int) -> None:
    answer = parse(WHOLE[:end])
    assert answer.passes == TWO
    assert answer.before == (14 if end > WHOLE.index("14") + 2 else None)
    assert answer.after == (7 if end > WHOLE.index("7:") + 1 else None)
    inside = WHOLE.index(IR) < end < WHOLE.index("\n[/code]") + len("\n[/code]")
    assert answer.problems == ((Problem.CUT_IR,) if inside else ())
    assert answer.ir == (IR if end >= WHOLE.index("\n[/code]") + len("\n[/code]") else None)


def test_an_answer_of_no_passes_may_end_too() -> None:
    text = "Run no passes to keep instruction count 14:\n[code]\n"
    for end in range(len("Run no passes"), len(text) + 1):
        answer = parse(text[:end])
        assert answer.passes == PassList()
        assert set(answer.problems) <= {Problem.CUT_IR}, text[:end]


@pytest.mark.parametrize(
    ("text", "names", "problems"),
    [
        ("", None, [Problem.EMPTY]),
        ("I would run sroa.", None, [Problem.NO_LIST]),
        ("Run the passes sroa", None, [Problem.NO_LIST]),
        ("Run passes ", None, [Problem.NO_LIST]),
        ("\nRun passes sroa", ["sroa"], []),
        ("Run passes sroa,", ["sroa"], []),
        ("Run passes sroa, gvn to reduce instruction count from 9 to 8:", ["sroa", "gvn"], []),
        ("Run passes -mem2reg -simplifycfg", ["mem2reg", "simplifycfg"], []),
        ("Run passes sroa,foo,gvn", ["sroa", "gvn"], [Problem.UNKNOWN_PASS]),
        ("Run passes foo", None, [Problem.UNKNOWN_PASS]),
        ("Run passes internalize,gvn", ["gvn"], [Problem.DROPPED_PASS]),
        ("Run passes gvn to make it small", ["gvn"], [Problem.NO_COUNTS]),
        ("Run passes gvn to reduce instruction count from x", ["gvn"], [Problem.NO_COUNTS]),
        (
            f"Run passes gvn to reduce instruction count from {'9' * 16}",
            ["gvn"],
            [Problem.NO_COUNTS],
        ),
        ("Run passes gvn to reduce instruction count from 9 too", ["gvn"], [Problem.NO_COUNTS]),
        ("Run no passes to keep instruction count ?", [], [Problem.NO_COUNTS]),
        ("Run passes gvn to reduce instruction count from 9 to 8: ok", ["gvn"], [Problem.NO_IR]),
        ("Run passes gvn to reduce instruction count from 9 to 8.", ["gvn"], [Problem.NO_IR]),
    ],
)
def test_defects(text: str, names: list[str] | None, problems: list[Any]) -> None:
    answer = parse(text)
    assert list(answer.problems) == problems
    assert answer.passes == (None if names is None else PassList(names))


def test_what_was_left_out_is_named() -> None:
    answer = parse(f"Run passes foo,gvn,internalize,foo,{'x' * 100}")
    assert answer.dropped == ("foo", "internalize", "x" * 80)


def test_a_list_without_an_end_is_cut() -> None:
    answer = parse("Run passes " + "gvn,dce," * 5_000)
    assert answer.problems == (Problem.LONG_LIST,)
    assert answer.passes == PassList(["gvn", "dce"] * 500)
