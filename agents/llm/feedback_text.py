"""What a model is told about its answer, and how that goes on the conversation.

The idea, and the three lengths, are those of arXiv 2403.14714: ``fast`` says what is known without
looking at IR (is the list valid, which counts were wrong), ``short`` adds what is wrong with the IR
that the model wrote, ``long`` adds the IR that its list really gives. The words are ours: those of
the paper are not known to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmopt_bench import PassList

from .answer import Answer
from .prompt_view import Message, Request

LENGTHS = ("fast", "short", "long")
_SHOWN_NAMES = 10
_WORDS = {"instruction_count": "instruction count", "text_size": "size in bytes of machine code"}


@dataclass(frozen=True, slots=True)
class Report:
    """What the compiler says about an answer."""

    answer: Answer
    metric: str
    """What the counts are in: ``instruction_count`` or ``text_size``."""
    before: int
    """The metric of the program as it is."""
    after: int | None
    """The metric once the list has run; None if there is none, or LLVM fails on it."""
    best: PassList
    """The best list so far."""
    best_value: int
    repeated: bool = False
    """Whether the list was tried before."""
    written: str = ""
    """What is to be said about the IR that the model wrote; empty without any."""
    compiled: str = ""
    """The IR that the list gives; empty to leave it away."""


def feedback_text(report: Report) -> str:
    """Return a report in words, one fact a line; that of the last line is what to do."""
    answer, word = report.answer, _WORDS[report.metric]
    lines = [*_about_list(report), f"The {word} is {report.before} without passes."]
    if report.after is not None:
        lines.append(f"With this list it is {report.after}.")
    if report.metric == "instruction_count":
        lines += _about_guess("without passes", answer.before, report.before)
        lines += _about_guess("with this list", answer.after, report.after)
    best = report.best.compact or "no passes"
    lines.append(f"The smallest so far is {report.best_value}, with: {best}")
    lines += [report.written] if report.written else []
    lines += [f"The IR with this list:\n{report.compiled}"] if report.compiled else []
    return "\n".join([*lines, "Name another list that makes it smaller."])


def _about_list(report: Report) -> list[str]:
    answer = report.answer
    if answer.passes is None:
        first = "There is no pass list in the answer."
    elif report.after is None:
        first = "The pass list is valid, but LLVM fails on it."
    else:
        first = "The pass list is valid."
    dropped = ", ".join(answer.dropped[:_SHOWN_NAMES])
    names = [f"These are no passes to choose from, and were left out: {dropped}"] if dropped else []
    again = ["It was tried before."] if report.repeated else []
    return [first, *names, *again]


def _about_guess(which: str, guess: int | None, right: int | None) -> list[str]:
    if guess is None or right is None or guess == right:
        return []
    return [f"You said {guess} {which}, which is wrong by {abs(guess - right)}."]


def go_on(prompt: str, request: Request, turns: Sequence[tuple[str, str]]) -> Request:
    """Return what a model is given after some turns.

    Args:
        prompt: Name of the prompt.
        request: What the model was given first.
        turns: What it answered, and what it was told then, in order.
    """
    if not isinstance(request, str):
        said = (
            message
            for answer, feedback in turns
            for message in (Message("assistant", answer), Message("user", feedback))
        )
        return (*request, *said)
    form = (
        " {}\n[INST] {} [/INST]"
        if prompt == "llm-compiler-ftd"
        else "{}\n[feedback]\n{}\n[/feedback]\n"
    )
    return request + "".join(form.format(answer.strip("\n"), text) for answer, text in turns)
