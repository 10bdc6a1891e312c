"""The prompt ``compact``: for small models, which see IR in few words (``compact_ir``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from llmopt_bench import ActionSet

from .compact_ir import compact_ir, compact_totals
from .prompt_paper import PaperPrompt, paper_prompt
from .prompt_view import Rule, View


def compact_prompt(ir: str) -> str:
    """Return the prompt for a program.

    Args:
        ir: Its IR as ``Session.ir(normalized=True)`` gives it.
    """
    return paper_prompt(compact_ir(ir))


def totals_prompt(ir: str) -> str:
    """Return a prompt that tells no more of a program than how often each opcode occurs.

    Args:
        ir: As for ``compact_prompt``.
    """
    return paper_prompt(compact_totals(ir))


@dataclass(frozen=True, slots=True)
class CompactPrompt(PaperPrompt):
    """The prompt ``paper`` with compact IR; the answer is the same, and ends after the counts."""

    name: ClassVar[str] = "compact"

    def shown(self, ir: str) -> str:
        """Return the text in which the model reads IR: compact."""
        return compact_ir(ir)

    def brief(self, view: View) -> View | None:
        """Return a view of the totals alone, which are a part of the training."""
        return replace(view, rule=Rule.TOTALS)

    def request(self, view: View, actions: ActionSet) -> str:
        """Return the text that the model goes on with; the action set is what it was trained on."""
        del actions
        make = totals_prompt if view.rule is Rule.TOTALS else compact_prompt
        return make(view.text)
