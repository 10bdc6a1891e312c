"""The prompt of Meta's LLM Compiler, fine-tuned for flag tuning (arXiv 2407.02524).

For facebook/llm-compiler-7b-ftd and facebook/llm-compiler-13b-ftd, whose makers say that they must
be prompted exactly. The prompt is that of their demonstration script, read in public copies of it:
with a blank before ``[/INST]``, and with IR as LLVM prints it, newline at the end included. (One
account of the paper has no blank there; the script is followed.) The models were trained on whole
modules of LLVM 17 with their metadata, so the IR is not normalised.

What answers look like is known only in part: they hold ``opt -p '<pipeline>'``, and then counts and
sizes. Two ways of writing these are read, "instruction count ... from A to B" and the "code has
instruction count A and binary size B bytes" of the other prompts of the script; both are
assumptions. If an answer has them otherwise, it has ``NO_COUNTS``, and its list is read anyhow.

The models were trained for the size of an object file, with 167 passes of LLVM 17; the pipelines
are mapped on the action set as ``answer_pipeline`` and ``answer_names`` say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import ActionSet

from .answer import Answer, Problem, once, opened, without_list
from .answer_pipeline import find_pipeline, read_pipeline
from .prompt_view import View

_PROMPT = """\
[INST] Tell me how to optimize this LLVM-IR for object file size:

<code>{}</code> [/INST]"""
_CHANGE = re.compile(
    r"(instruction count|binary size)[a-z ]{0,40} from ([0-9]{1,15})(?: bytes)? "
    r"to ([0-9]{1,15})(?=[^0-9])",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\b(input|original|optimi[sz]ed|compiled|output) code has instruction count "
    r"([0-9]{1,15}) and binary size ([0-9]{1,15})(?=[^0-9])",
    re.IGNORECASE,
)
_OPEN, _CLOSE = "<code>", "</code>"
_Pair = tuple[int | None, int | None]


def ftd_prompt(ir: str) -> str:
    """Return the prompt for a program.

    Args:
        ir: Its IR as ``Session.ir()`` gives it.
    """
    return _PROMPT.format(ir.rstrip("\n") + "\n")


@dataclass(frozen=True, slots=True)
class FtdPrompt:
    """The prompt ``llm-compiler-ftd``."""

    name: ClassVar[str] = "llm-compiler-ftd"
    normalized: ClassVar[bool] = False

    def shown(self, ir: str) -> str:
        """Return the text in which the model reads IR: as it is."""
        return ir

    def brief(self, view: View) -> None:
        """Return no other view of what does not fit."""
        del view

    def request(self, view: View, actions: ActionSet) -> str:
        """Return the text that the model goes on with; it has learned what passes there are."""
        del actions
        return ftd_prompt(view.text)

    def parse(self, text: str, actions: ActionSet) -> Answer:
        """Return what an answer says; it may end behind the list without a problem."""
        text, problems = opened(text)
        found = find_pipeline(text)
        if found is None:
            return without_list(problems)
        pipeline, end, closed = found
        reading = read_pipeline(pipeline, actions)
        ir, prose, cut = _split(text[end:])
        counts, sizes = _figures(prose)
        missing = counts == (None, None) and any(letter.isalnum() for letter in text[end:])
        tail = [
            *([] if closed else [Problem.CUT_LIST]),
            *([Problem.NO_COUNTS] if missing else []),
            *([Problem.CUT_IR] if cut else []),
        ]
        return Answer(
            reading.passes,
            *counts,
            ir,
            once([*problems, *reading.problems, *tail]),
            reading.dropped,
            *sizes,
        )


def _split(text: str) -> tuple[str | None, str, bool]:
    """Return the IR in a text, the rest of the text, and whether the text ends inside the IR."""
    prose, opening, rest = text.partition(_OPEN)
    if not opening:
        return None, text, False
    ir, closing, more = rest.partition(_CLOSE)
    return (ir.rstrip("\n") if closing else None), f"{prose}\n{more}", not closing


def _figures(text: str) -> tuple[_Pair, _Pair]:
    """Return instruction counts and sizes before and after; the first of each kind counts."""
    found: dict[tuple[str, bool], int] = {}
    for match in _CHANGE.finditer(text):
        kind = match[1].lower()
        found.setdefault((kind, False), int(match[2]))
        found.setdefault((kind, True), int(match[3]))
    for match in _STATE.finditer(text):
        after = match[1].lower() not in ("input", "original")
        found.setdefault(("instruction count", after), int(match[2]))
        found.setdefault(("binary size", after), int(match[3]))
    counts = found.get(("instruction count", False)), found.get(("instruction count", True))
    return counts, (found.get(("binary size", False)), found.get(("binary size", True)))
