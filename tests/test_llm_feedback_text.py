"""What a model is told about its answer, to the letter, and how that goes on the conversation."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from llmopt_bench import PassList, make_action_set

LLM = "llmopt_bench.agents.llm."
answer_module: Any = importlib.import_module(LLM + "answer")
feedback_text: Any = importlib.import_module(LLM + "feedback_text")
prompts: Any = importlib.import_module(LLM + "prompt")

ACTIONS = make_action_set()
Answer = answer_module.Answer
Message = prompts.Message


def passes(*names: str) -> PassList:
    return PassList(names, ACTIONS)


def report(**given: Any) -> Any:
    """Return a report about the list ``mem2reg``, with other facts where they are given."""
    facts = {
        "answer": Answer(passes("mem2reg")),
        "metric": "instruction_count",
        "before": 120,
        "after": 95,
        "best": passes("Oz"),
        "best_value": 90,
    }
    return feedback_text.Report(**{**facts, **given})


def test_the_text_to_the_letter() -> None:
    assert feedback_text.feedback_text(report()) == (
        "The pass list is valid.\n"
        "The instruction count is 120 without passes.\n"
        "With this list it is 95.\n"
        "The smallest so far is 90, with: Oz\n"
        "Name another list that makes it smaller."
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"answer": Answer(None), "after": None}, "There is no pass list in the answer."),
        ({"after": None}, "The pass list is valid, but LLVM fails on it."),
        (
            {"answer": Answer(passes("dce"), dropped=("one", "two"))},
            "These are no passes to choose from, and were left out: one, two",
        ),
        ({"repeated": True}, "It was tried before."),
        (
            {"answer": Answer(passes("dce"), 100, 95)},
            "You said 100 without passes, which is wrong by 20.",
        ),
        (
            {"answer": Answer(passes("dce"), 120, 99)},
            "You said 99 with this list, which is wrong by 4.",
        ),
        ({"best": passes()}, "The smallest so far is 90, with: no passes"),
        ({"metric": "text_size"}, "The size in bytes of machine code is 120 without passes."),
        ({"written": "Your IR is odd."}, "Your IR is odd."),
        ({"compiled": "define void @f()"}, "The IR with this list:"),
    ],
)
def test_each_fact_has_its_line(given: dict[str, Any], line: str) -> None:
    usual = feedback_text.feedback_text(report()).splitlines()
    assert line not in usual
    assert line in feedback_text.feedback_text(report(**given)).splitlines()


def test_right_guesses_and_sizes_are_not_corrected() -> None:
    right = report(answer=Answer(passes("dce"), 120, 95))
    size = report(answer=Answer(passes("dce"), 1, 2), metric="text_size")
    assert "You said" not in feedback_text.feedback_text(right)
    assert "You said" not in feedback_text.feedback_text(size)


def test_how_the_conversation_goes_on() -> None:
    first = (Message("system", "s"), Message("user", "u"))
    turns = [("a1", "f1"), ("a2", "f2")]
    more = feedback_text.go_on("chat", first, turns)
    assert [(one.role, one.content) for one in more] == [
        ("system", "s"),
        ("user", "u"),
        ("assistant", "a1"),
        ("user", "f1"),
        ("assistant", "a2"),
        ("user", "f2"),
    ]
    assert feedback_text.go_on("paper", "IR\n", turns) == (
        "IR\na1\n[feedback]\nf1\n[/feedback]\na2\n[feedback]\nf2\n[/feedback]\n"
    )
    ftd = feedback_text.go_on("llm-compiler-ftd", "[INST] x [/INST]", turns[:1])
    assert ftd == "[INST] x [/INST] a1\n[INST] f1 [/INST]"
    assert feedback_text.go_on("paper", "IR\n", []) == "IR\n"
