"""The prompt ``compact``: for small models, which see IR in few words (``compact_ir``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import ActionSet

from .compact_ir import compact_ir
from .prompt_paper import PaperPrompt, paper_prompt
from .prompt_view import View


def compact_prompt(ir: str) -> str:
    """Return the prompt for a program.

    Args:
        ir: Its IR as ``Session.ir(normalized=True)`` gives it.
    """
    return paper_prompt(compact_ir(ir))


@dataclass(frozen=True, slots=True)
class CompactPrompt(PaperPrompt):
    """The prompt ``paper`` with compact IR; the answer is the same, and ends after the counts."""

    name: ClassVar[str] = "compact"

    def request(self, view: View, actions: ActionSet) -> str:
        """Return the text that the model goes on with; the action set is what it was trained on."""
        del actions
        return compact_prompt(view.text)
