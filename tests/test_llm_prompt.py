"""Prompts by name, and the prompt for instruction-tuned models, to the letter."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench import Action, ActionSet, PassList, UnknownName, make_action_set

prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt")
view_module: Any = importlib.import_module("llmopt_bench.agents.llm.prompt_view")

ACTIONS = make_action_set("passes-v1")
SMALL = ActionSet(
    "small-v1",
    22,
    (
        Action("default<Oz>", "default<Oz>", "module"),
        Action("globaldce", "globaldce", "module"),
        Action("licm", "function(loop-mssa(licm))", "loop"),
        Action("gvn", "function(gvn)", "function"),
        Action("dce", "function(dce)", "function"),
    ),
)
SYSTEM = """\
You choose LLVM optimization passes that make code small. You are given LLVM IR. Name the passes \
to run on it, in order, so that the fewest IR instructions remain. Passes may repeat.

Use these passes only (LLVM 22), spelled as here:
- whole pipelines: default<Oz>
- module: globaldce
- loop: licm
- function: gvn, dce

Answer with one JSON object and nothing else, the names in the order to run them; an empty list \
leaves the code as it is:
{"passes": ["first name", "second name"]}"""
USER = """\
The IR:
```llvm
define void @f() {
ret void
}
```
Which passes, in which order? Answer with the JSON object."""
CODE = "define void @f() {\nret void\n}"


def chat_messages(view: Any, actions: ActionSet = SMALL) -> list[tuple[str, str]]:
    request = prompt.make_prompt("chat").request(view, actions)
    return [(message.role, message.content) for message in request]


def test_names() -> None:
    assert prompt.prompt_names() == ("paper", "compact", "llm-compiler-ftd", "chat")
    assert [prompt.make_prompt(name).name for name in prompt.prompt_names()] == [
        *prompt.prompt_names()
    ]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(
        UnknownName, match=r"unknown prompt 'papyrus'. Known: paper, compact, llm-comp"
    ):
        prompt.make_prompt("papyrus")


def test_which_ir_they_show() -> None:
    shown = {name: prompt.make_prompt(name).normalized for name in prompt.prompt_names()}
    assert shown == {"paper": True, "compact": True, "llm-compiler-ftd": False, "chat": True}


def test_chat_to_the_letter() -> None:
    assert chat_messages(prompt.View(CODE)) == [("system", SYSTEM), ("user", USER)]


def test_chat_names_every_action_once_and_explains_oz() -> None:
    system = chat_messages(prompt.View(CODE), ACTIONS)[0][1]
    listed = re.findall(r"^- (?:whole pipelines|module|cgscc|function|loop): (.*)$", system, re.M)
    names = [name for line in listed for name in line.split(", ")]
    assert sorted(names) == sorted(ACTIONS.names)
    assert '"Oz" is all that clang -Oz runs' in system


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("HEAD", "The IR is too long to be shown whole. Its features and its beginning:\n```"),
        ("FEATURES", "The IR is too long to be shown. Its features:\n```"),
    ],
)
def test_chat_says_what_is_not_shown(rule: str, words: str) -> None:
    user = chat_messages(prompt.View("; x = 1", prompt.Rule[rule]))[1][1]
    assert user.startswith(words)


def test_braces_of_the_ir_stay() -> None:
    text = '@s = constant [4 x i8] c"{0}{"'
    assert text in chat_messages(prompt.View(text))[1][1]


def test_features_as_comments() -> None:
    view = view_module.features_view({"NumAddInst": 3, "NumXorInst": 0, "TotalInsts": 12})
    expected = "; features (those that are not here are 0):\n; NumAddInst = 3\n; TotalInsts = 12"
    assert (view.text, view.rule) == (expected, prompt.Rule.FEATURES)


PIECES = st.sampled_from(
    [
        *("Run passes ", "Run no passes", " to reduce instruction count from ", " to ", ":\n"),
        *("[code]\n", "\n[/code]", "<code>", "</code>", "opt -p '", "'", '{"passes": [', '"', "]"),
        *("function(", "loop(", "repeat<9>(", "(", ")", ",", " ", "<", ">", "-", "\n", "1. ", "9"),
        *("sroa", "gvn<no-pre>", "instcombine", "-mem2reg", "lowerswitch", "internalize", "\\"),
    ]
)
ANSWERS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


@pytest.mark.parametrize("name", prompt.prompt_names())
@settings(deadline=None)
@given(text=ANSWERS)
def test_no_answer_raises_and_none_fails_without_a_reason(name: str, text: str) -> None:
    answer = prompt.make_prompt(name).parse(text, ACTIONS)
    assert isinstance(answer.passes, PassList | None)
    assert answer.passes is not None or answer.problems
    assert len(set(answer.problems)) == len(answer.problems)
    lost = {prompt.Problem.UNKNOWN_PASS, prompt.Problem.DROPPED_PASS}
    assert bool(answer.dropped) == bool(lost & set(answer.problems))


@pytest.mark.parametrize("name", prompt.prompt_names())
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_answer(name: str, text: str) -> None:
    answer = prompt.make_prompt(name).parse(text, ACTIONS)
    assert answer == prompt.Answer(None, problems=(prompt.Problem.EMPTY,))


@pytest.mark.parametrize("name", prompt.prompt_names())
def test_an_answer_is_read_up_to_a_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Any = importlib.import_module("llmopt_bench.agents.llm.answer")
    monkeypatch.setattr(answers, "MAX_ANSWER", 10)
    text = " " * 10 + """Run passes sroa {"passes": ["sroa"]} opt -p 'sroa'"""
    answer = prompt.make_prompt(name).parse(text, ACTIONS)
    expected = (prompt.Problem.TOO_LONG, prompt.Problem.EMPTY)
    assert (answer.passes, answer.problems) == (None, expected)


def test_problems_are_texts_for_records() -> None:
    assert f"{prompt.Problem.UNKNOWN_PASS}" == "unknown-pass"
    assert f"{prompt.Rule.WHOLE}" == "whole"
