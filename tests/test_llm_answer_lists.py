"""Pass lists in the answers of instruction-tuned models, wherever they stand."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench import PassList, make_action_set

prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt")
Problem = prompt.Problem

ACTIONS = make_action_set("passes-v1")
CHAT = prompt.make_prompt("chat")
LISTS = st.lists(st.sampled_from(ACTIONS.names), max_size=12)
PROSE = st.text(st.characters(codec="utf-8", exclude_characters="\"'"), max_size=40)
MEGABYTES_10 = 10_000_000


def read(text: str) -> tuple[list[str] | None, list[Any]]:
    answer = CHAT.parse(text, ACTIONS)
    return answer.passes if answer.passes is None else list(answer.passes), list(answer.problems)


@settings(deadline=None)
@given(names=LISTS, before=PROSE, after=PROSE, indent=st.sampled_from([None, 0, 2]))
def test_json_among_prose(names: list[str], before: str, after: str, indent: int | None) -> None:
    fenced = f"{before}\n```json\n{json.dumps({'passes': names}, indent=indent)}\n```\n{after}"
    answer = CHAT.parse(fenced, ACTIONS)
    assert answer == prompt.Answer(PassList(names))


@pytest.mark.parametrize(
    "text",
    [
        '{"passes": ["sroa", "gvn"]}',
        "{'passes': ['sroa', 'gvn']}",
        '{"why": {"a": [[1]]}, "passes" :\n[ "sroa" , "gvn", ], "x": 1}',
        '{"passes": ["sroa\\u003cmodify-cfg\\u003e", "gvn"]}',
        '{"passes": ["function(sroa,gvn)"]}',
        '{"passes": ["sroa,gvn"]}',
        'First {"passes": ["dce"]}, better {"passes": ["sroa", "gvn"]}.',
        '{"passes": ["sroa", "gvn"]} and not {"passes": ["dce", 3]}',
        '{"passes": ["sroa", "gvn"]} or {"passes": ["dce',
        '<think>"passes": [ "dce"...</think>{"passes": ["sroa", "gvn"]}',
    ],
)
def test_the_json_that_was_asked_for(text: str) -> None:
    assert read(text) == (["sroa<modify-cfg>", "gvn"], [])


@pytest.mark.parametrize(
    "text",
    [
        '["sroa", "gvn"]',
        'Not ["x", "y"] but ["sroa", "gvn"] of ["course"]',
        '{"list": ["sroa", "gvn"]}',
        '{"passes": "sroa,gvn"}',
        "Run `opt -passes='sroa,gvn' in.ll`.",
        "sroa,gvn",
        "Passes: sroa, gvn.",
        "The best order is:\n\n`sroa` -> `gvn`\n\nIt removes dead code.",
        "1. sroa\n2. gvn",
        "1. **sroa**: splits aggregates\n2. **gvn**: removes what is there twice\n",
        "- `sroa`\n\n- `gvn`",
        "* dce\n\nOn second thoughts:\n* sroa\n* gvn\n",
        "function(sroa,gvn)",
        '"sroa", "gvn"',
        "-sroa -gvn",
    ],
)
def test_lists_in_other_forms(text: str) -> None:
    assert read(text) == (["sroa<modify-cfg>", "gvn"], [Problem.WRONG_FORMAT])


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do that.",
        "The function should be inlined, then cleaned up.",
        "You could try sroa first, because it makes later passes stronger.",
        "[[[[1]]]]",
        "[1, 2]",
        '["alpha", "beta"]',
        '{"passes": [1, 2]}',
        '{"passes": null}',
        '{"passes": {"sroa": 1}}',
        '{"answer": 42}',
    ],
)
def test_no_list(text: str) -> None:
    assert read(text) == (None, [Problem.NO_LIST])


@pytest.mark.parametrize("text", ['{"passes": []}', 'No: {"passes": [ ]}'])
def test_the_empty_list_is_an_answer(text: str) -> None:
    assert read(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"passes": ["gvn", "dce"', ["gvn", "dce"]),
        ('{"passes": ["gvn", "dce",\n ', ["gvn", "dce"]),
        ('{"passes": ["gvn", "dc', ["gvn"]),
        ('{"passes": ["gvn', []),
    ],
)
def test_json_that_is_cut(text: str, names: list[str]) -> None:
    assert read(text) == (names, [Problem.CUT_LIST])


def test_names_that_are_no_actions() -> None:
    answer = CHAT.parse('{"passes": ["gvn", "make-small", "internalize"]}', ACTIONS)
    assert answer.passes == PassList(["gvn"])
    assert answer.problems == (Problem.UNKNOWN_PASS, Problem.DROPPED_PASS)
    assert answer.dropped == ("make-small", "internalize")


def test_what_is_left_out_can_be_written_to_a_file() -> None:
    answer = CHAT.parse('{"passes": ["gv\\ud800n", "\\u00e9"]}', ACTIONS)
    assert answer.dropped == ("gv\\ud800n", "é")


@pytest.mark.timeout(60)  # each takes a second at most, and hours where time is quadratic
@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("paper", "Run passes "),
        ("llm-compiler-ftd", "opt -p '"),
        ("chat", ""),
        ("chat", '{"passes": ["'),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        *("[", '["', '["x"],', '{"passes": [', "'passes': [\"\\", '"passes"   ', "\n", "sroa\n"),
        *("(", "x(", "function(sroa,", "repeat<999999>(sroa", "a<", "a, ", "opt  ", "opt -p '"),
    ],
)
def test_time_is_linear(name: str, beginning: str, text: str) -> None:
    bomb = beginning + text * (1_000_000 // len(text))
    assert prompt.make_prompt(name).parse(bomb, ACTIONS).problems


def test_an_answer_of_ten_megabytes() -> None:
    answer = '{"passes": ["sroa", "gvn"]}'
    talk = 'Perhaps {"passes": ["dce"]}, or [["gvn", 1]], or opt -p \'adce\'.\n'
    text = talk * (MEGABYTES_10 // len(talk)) + answer
    assert read(text) == (["sroa<modify-cfg>", "gvn"], [])


def test_nesting_needs_no_stack() -> None:
    deep = '{"a": [' * 500_000 + '{"passes": ["gvn"]}' + "]}" * 500_000
    assert read(deep) == (["gvn"], [])
    assert read("(" * 500_000 + "gvn" + ")" * 500_000)[0] == ["gvn"]
