"""Prompts for language models: what a model is shown, and what its answer means.

A prompt is chosen by name (``make_prompt``):

* ``paper``: the format of arXiv 2309.07062, for models trained on it (``prompt_paper``).
* ``compact``: the same with IR in few words, for small models (``prompt_compact``).
* ``llm-compiler-ftd``: for facebook/llm-compiler-7b-ftd and 13b-ftd (``prompt_ftd``).
* ``chat``: for any instruction-tuned model (``prompt_chat``).

Which part of a program is shown when it is longer than the context: ``fitting``.
"""

from __future__ import annotations

from typing import Protocol

from llmopt_bench import ActionSet, UnknownName

from .answer import Answer, Problem
from .prompt_chat import ChatPrompt
from .prompt_compact import CompactPrompt, compact_prompt
from .prompt_ftd import FtdPrompt
from .prompt_paper import PaperPrompt, paper_answer, paper_prompt
from .prompt_view import Message, Request, Rule, View

__all__ = [
    "Answer",
    "Message",
    "Problem",
    "Prompt",
    "Request",
    "Rule",
    "View",
    "compact_prompt",
    "make_prompt",
    "paper_answer",
    "paper_prompt",
    "prompt_names",
]


class Prompt(Protocol):
    """A way to ask a model for a pass list."""

    @property
    def name(self) -> str:
        """What it is called in records."""

    @property
    def normalized(self) -> bool:
        """Whether it shows IR as ``Session.ir(normalized=True)`` gives it."""

    def shown(self, ir: str) -> str:
        """Return the text in which the model reads IR, which is as ``normalized`` says."""

    def brief(self, view: View) -> View | None:
        """Return another view of a function that does not fit; None for features and head."""

    def request(self, view: View, actions: ActionSet) -> Request:
        """Return what the model is given.

        Args:
            view: What is shown of the program.
            actions: What the model may choose from.
        """

    def parse(self, text: str, actions: ActionSet) -> Answer:
        """Return what the model's text says; never raises, see ``Answer.problems``."""


_PROMPTS: tuple[Prompt, ...] = (PaperPrompt(), CompactPrompt(), FtdPrompt(), ChatPrompt())


def prompt_names() -> tuple[str, ...]:
    """Return the names of the prompts."""
    return tuple(prompt.name for prompt in _PROMPTS)


def make_prompt(name: str) -> Prompt:
    """Return a prompt by name.

    Raises:
        UnknownName: There is none of this name.
    """
    for prompt in _PROMPTS:
        if prompt.name == name:
            return prompt
    known = ", ".join(prompt_names())
    raise UnknownName(f"unknown prompt {str(name)[:80]!r}. Known: {known}.")
