"""The format of "Large Language Models for Compiler Optimization" (arXiv 2309.07062).

A prompt is the normalised IR between ``[code]`` and ``[/code]``; an answer names the pass list,
the instruction counts before and after, and then the optimised IR between the same marks. That
the marks and the sentence around the list read just so is recalled from the paper's figures and
not confirmed. Of our own are: the list is that of ``PassList.compact``, not flags of LLVM 10 (which
are read too), and the empty list has a sentence without an ``after``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import ActionSet, PassList

from .answer import Answer, Problem, once, opened, without_list
from .answer_names import read_names
from .prompt_view import View

_CODE = "[code]\n{}\n[/code]\n"
_RUN = "Run passes {} to reduce instruction count from {} to {}:\n"
_RUN_NONE = "Run no passes to keep instruction count {}:\n"

_LIST = re.compile(r"\s*Run (?:no passes|passes (?P<names>[^\s,]+(?:(?:, ?| (?=-))[^\s,]+)*,?))")
_REDUCE = " to reduce instruction count from "
_KEEP = " to keep instruction count "
_OPEN, _CLOSE = "\n[code]\n", "\n[/code]"
_NUMBER = re.compile(r"[0-9]{1,15}(?=[^0-9])")


def paper_prompt(ir: str) -> str:
    """Return the prompt for a program.

    Args:
        ir: Its IR as ``Session.ir(normalized=True)`` gives it.
    """
    return _CODE.format(ir.rstrip("\n"))


def paper_answer(passes: PassList, before: int, after: int, ir: str | None) -> str:
    """Return the answer that a model learns to give.

    Args:
        passes: The pass list.
        before: Instructions of the program.
        after: Instructions once the list has run; that of the empty list is ``before``.
        ir: Normalised IR once the list has run. None to end after the sentence: the text is then
            the beginning of the whole answer.

    Raises:
        ValueError: A count is negative, or the empty list changes it.
    """
    if min(before, after) < 0 or (not passes and before != after):
        raise ValueError(
            f"expected counts from 0 on, the same for the empty list, got {before} and {after} "
            f"for {len(passes)} passes. Measure both on the same program."
        )
    run = _RUN.format(passes.compact, before, after) if passes else _RUN_NONE.format(before)
    return run if ir is None else run + _CODE.format(ir.rstrip("\n"))


@dataclass(frozen=True, slots=True)
class PaperPrompt:
    """The prompt ``paper``: for models that were trained on ``paper_answer``."""

    name: ClassVar[str] = "paper"
    normalized: ClassVar[bool] = True

    def shown(self, ir: str) -> str:
        """Return the text in which the model reads IR: as it is."""
        return ir

    def brief(self, view: View) -> View | None:
        """Return no other view of what does not fit."""
        del view
        return None

    def request(self, view: View, actions: ActionSet) -> str:
        """Return the text that the model goes on with; the action set is what it was trained on."""
        del actions
        return paper_prompt(view.text)

    def parse(self, text: str, actions: ActionSet) -> Answer:
        """Return what an answer says; it may end anywhere behind the list without a problem."""
        text, problems = opened(text)
        found = _LIST.match(text)
        if found is None:
            return without_list(problems)
        names = re.split(r"[, ]+", (found["names"] or "").rstrip(","))
        reading = read_names([name for name in names if name], actions)
        before, after, ir, tail = _rest(text[found.end() :], empty=found["names"] is None)
        return Answer(
            reading.passes,
            before,
            after,
            ir,
            once([*problems, *reading.problems, *tail]),
            reading.dropped,
        )


def _rest(text: str, *, empty: bool) -> tuple[int | None, int | None, str | None, list[Problem]]:
    """Return the counts and the IR behind the list, and what is wrong there."""
    counts: list[int] = []
    for words in (_KEEP,) if empty else (_REDUCE, " to "):
        if not text.startswith(words):
            break
        number = _NUMBER.match(text, len(words))
        if number is None:
            break
        counts.append(int(number[0]))
        text = text[number.end() :]
    else:
        ir, problems = _code(text)
        return counts[0], counts[-1], ir, problems
    before = counts[0] if counts else None
    expected = _KEEP if empty else " to " if counts else _REDUCE
    cut = expected.startswith(text) or _is_cut_number(text, expected)
    return before, None, None, [] if cut else [Problem.NO_COUNTS]


def _is_cut_number(text: str, words: str) -> bool:
    """Whether the text ends inside the number that follows some words."""
    digits = text.removeprefix(words)
    return digits != text and len(digits) <= 15 and digits.isascii() and digits.isdigit()


def _code(text: str) -> tuple[str | None, list[Problem]]:
    """Return the IR that follows the sentence, which ends with a colon."""
    opening = ":" + _OPEN
    if opening.startswith(text):
        return None, []
    if not text.startswith(opening):
        return None, [Problem.NO_IR]
    begin = len(opening)
    end = text.find(_CLOSE, begin - 1)
    if end < 0:
        return None, [Problem.CUT_IR]
    return text[begin : max(begin, end)], []
