"""Names and pipelines that models write: what they mean in an action set."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench import ActionSet, PassList, make_action_set

names: Any = importlib.import_module("llmopt_bench.agents.llm.answer_names")
pipeline: Any = importlib.import_module("llmopt_bench.agents.llm.answer_pipeline")
Problem: Any = importlib.import_module("llmopt_bench.agents.llm.answer").Problem

ACTIONS = make_action_set("passes-v1")
LEVEL_NAMES = {
    level: [action.name for action in ACTIONS if action.level == level]
    for level in ("module", "cgscc", "function", "loop")
}


def read(text: str, actions: ActionSet = ACTIONS) -> tuple[list[str] | None, list[Any]]:
    reading = pipeline.read_pipeline(text, actions)
    found = None if reading.passes is None else list(reading.passes)
    return found, list(reading.problems)


@pytest.mark.parametrize(
    ("name", "action", "problem"),
    [
        ("gvn", "gvn", None),
        ("instcombine", "instcombine", None),
        ("-mem2reg", "mem2reg", None),
        ("--mem2reg", "mem2reg", None),
        ("-Oz", "default<Oz>", None),
        ("-gvn-hoist", "gvn-hoist", None),
        ("-lowerswitch", "lower-switch", None),
        ("lowerswitch", "lower-switch", None),
        ("-flattencfg", "flatten-cfg", None),
        ("-O0", None, "DROPPED_PASS"),
        ("-loop-reroll", None, "DROPPED_PASS"),
        ("O0", None, "DROPPED_PASS"),
        ("tlshoist", None, "DROPPED_PASS"),
        ("lowerinvoke", None, "DROPPED_PASS"),
        ("lower-invoke", None, "DROPPED_PASS"),
        ("thinlto<Oz>", None, "DROPPED_PASS"),
        ("print<domtree>", None, "DROPPED_PASS"),
        ("require<globals-aa>", None, "DROPPED_PASS"),
        ("function-simplification<O2>", None, "DROPPED_PASS"),
        ("function-simplification<O9>", None, "DROPPED_PASS"),
        ("globaldce<vfe-linkage-unit-visibility>", None, "DROPPED_PASS"),
        ("globaldce<in-lto-post-link>", "globaldce", "OTHER_PARAMETERS"),
        ("lowerswitch<fast>", "lower-switch", "OTHER_PARAMETERS"),
        ("sroa<>", "sroa", "OTHER_PARAMETERS"),
        ("GVN", None, "UNKNOWN_PASS"),
        ("gvm", None, "UNKNOWN_PASS"),
        ("-gvm", None, "UNKNOWN_PASS"),
        ("-", None, "UNKNOWN_PASS"),
        ("", None, "UNKNOWN_PASS"),
        ("<", None, "UNKNOWN_PASS"),
        ("gvn" + "n" * 2_000, None, "UNKNOWN_PASS"),
    ],
)
def test_meaning(name: str, action: str | None, problem: str | None) -> None:
    expected = names.Meaning(action, None if problem is None else Problem[problem])
    assert names.meaning(name, ACTIONS) == expected


def test_every_action_and_alias_means_itself() -> None:
    given_names = [*ACTIONS.names, *ACTIONS.aliases]
    reading = names.read_names(given_names, ACTIONS)
    assert reading == names.Reading(PassList(given_names))


def test_every_pass_that_was_reviewed_is_known() -> None:
    found = {names.meaning(name, ACTIONS).problem for name in ACTIONS.excluded}
    assert found == {Problem.DROPPED_PASS}


def test_names_that_are_left_out() -> None:
    reading = names.read_names(["foo", "gvn", "foo", "strip", "gvn"], ACTIONS)
    assert reading.passes == PassList(["gvn", "gvn"])
    assert reading.problems == (Problem.UNKNOWN_PASS, Problem.DROPPED_PASS)
    assert reading.dropped == ("foo", "strip")


def test_no_names_are_the_empty_list_and_only_unknown_names_are_none() -> None:
    assert names.read_names([], ACTIONS) == names.Reading(PassList())
    assert names.read_names(["foo"], ACTIONS).passes is None


@pytest.mark.parametrize(
    ("text", "expected", "problems"),
    [
        ("module(function(gvn,dce),globaldce)", ["gvn", "dce", "globaldce"], []),
        ("function(loop(licm))", ["licm"], []),
        ("loop(licm,indvars)", ["licm", "indvars"], [Problem.REGROUPED]),
        ("cgscc(inline,function(gvn))", ["inline", "gvn"], [Problem.REGROUPED]),
        ("cgscc(inline),function(gvn,dce)", ["inline", "gvn", "dce"], []),
        ("loop(gvn)", ["gvn"], []),
        ("devirt<4>(inline)", ["inline"], []),
        ("repeat<3>(gvn,dce)", ["gvn", "dce"] * 3, []),
        ("repeat<2>(gvn,repeat<2>(dce)),gvn", ["gvn", "dce", "dce"] * 2 + ["gvn"], []),
        ("repeat<0>(gvn),dce", ["dce"], []),
        ("repeat<999999>(gvn)", ["gvn"] * 1_000, [Problem.LONG_LIST]),
        ("((gvn))", ["gvn"], []),
        ("gvn dce\n,, ,adce", ["gvn", "dce", "adce"], []),
        ("foo(gvn)", ["gvn"], [Problem.UNKNOWN_PASS]),
        ("function(gvn", ["gvn"], [Problem.CUT_LIST]),
        ("gvn)", ["gvn"], [Problem.CUT_LIST]),
        ("loop(licm,indvars", ["licm", "indvars"], [Problem.CUT_LIST, Problem.REGROUPED]),
        ("gvn<no-pre", ["gvn"], [Problem.UNKNOWN_PASS]),
        (ACTIONS.pipeline_of("Oz"), ["Oz"], []),
        (f"gvn,{ACTIONS.pipeline_of('Os')},dce", ["gvn", "Os", "dce"], []),
    ],
)
def test_pipelines(text: str, expected: list[str], problems: list[Any]) -> None:
    assert read(text) == (list(PassList(expected)), problems)


def test_a_small_action_set() -> None:
    few = ActionSet("few-v1", 22, tuple(a for a in ACTIONS if a.name in ("gvn", "dce")))
    assert read("function(gvn,sroa),dce", few) == (["gvn", "dce"], [Problem.UNKNOWN_PASS])


def grouped(level: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.sampled_from(LEVEL_NAMES[level]) | inner
    return st.lists(parts, min_size=1, max_size=4).map(lambda ps: f"{level}({','.join(ps)})")


LOOPS = grouped("loop", st.nothing())
FUNCTIONS = grouped("function", LOOPS)
COMPONENTS = grouped("cgscc", FUNCTIONS)
PIPELINES = st.lists(st.sampled_from(ACTIONS.names) | FUNCTIONS | COMPONENTS, max_size=6)


@settings(deadline=None)
@given(PIPELINES.map(",".join))
def test_what_people_may_write_means_the_same_here(text: str) -> None:
    reading = pipeline.read_pipeline(text, ACTIONS)
    assert reading.passes == PassList.parse(text)
    assert set(reading.problems) <= {Problem.REGROUPED}


@settings(deadline=None)
@given(st.lists(st.sampled_from(ACTIONS.names), max_size=20))
def test_texts_of_pass_lists_are_read_exactly(given_names: list[str]) -> None:
    passes = PassList(given_names)
    for text in (passes.text, passes.compact):
        assert pipeline.read_pipeline(text, ACTIONS) == names.Reading(passes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opt -p 'a,b' rest", ("a,b", " rest", True)),
        ('x opt-22 --passes="a(b)"', ("a(b)", "", True)),
        ("opt -passes a,b; next", ("a,b", "; next", True)),
        ("opt -p 'a", ("a", "", False)),
        ("opt -p ''", ("", "", True)),
    ],
)
def test_commands(text: str, expected: tuple[str, str, bool]) -> None:
    found, end, closed = pipeline.find_pipeline(text)
    assert (found, text[end:], closed) == expected
