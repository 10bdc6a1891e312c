"""The form of an answer, as a regular expression that a model can be held to.

The prompts ``paper``, ``compact`` and ``chat`` have one; what a whole answer to
``llm-compiler-ftd`` looks like is known only in part, so that prompt has none.

The expression is for the bytes of the answer, not for tokens. It holds for any tokenizer: one in
which each action is a token, and one that spells actions in pieces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmopt_bench import ActionSet

_COUNT = "[0-9]{1,9}"


@dataclass(frozen=True, slots=True)
class Grammar:
    """The form of the answers to a prompt."""

    pattern: str
    """A regular expression, which both Python and the library that masks tokens read; it matches
    whole answers, each of which is a valid pass list."""


def paper_grammar(actions: ActionSet, max_passes: int) -> Grammar:
    """Return the form of ``prompt_paper``, up to the optimised IR."""
    names = _listed([_plain(name) for name in actions.names], ",", max_passes)
    some = f"passes {names} to reduce instruction count from {_COUNT} to {_COUNT}"
    return Grammar(f"Run (?:{some}|no passes to keep instruction count {_COUNT}):")


def chat_grammar(actions: ActionSet, max_passes: int) -> Grammar:
    """Return the form of ``prompt_chat``: one JSON object; a space after colon or comma is free."""
    names = _listed([_plain(json.dumps(name)) for name in actions.names], ", ?", max_passes)
    return Grammar(rf'\{{"passes": ?\[(?:{names})?\]\}}')


_GRAMMARS: dict[str, Callable[[ActionSet, int], Grammar]] = {
    "paper": paper_grammar,
    "compact": paper_grammar,
    "chat": chat_grammar,
}


def has_grammar(prompt: str) -> bool:
    """Whether the form of the answers to a prompt is known."""
    return prompt in _GRAMMARS


def make_grammar(prompt: str, actions: ActionSet, max_passes: int) -> Grammar:
    """Return the form of the answers to a prompt.

    Args:
        prompt: Its name.
        actions: What an answer may name.
        max_passes: The most passes of an answer.

    Raises:
        ValueError: The form is not known, or nothing could be answered.
    """
    if not has_grammar(prompt):
        raise ValueError(
            f"prompt: expected {' or '.join(_GRAMMARS)}, whose answers have a known form, got "
            f"{prompt!r}. Set constrained=False."
        )
    if max_passes < 1 or not len(actions):
        raise ValueError(
            f"expected one pass and one action or more, got {max_passes} and {len(actions)}"
        )
    return _GRAMMARS[prompt](actions, max_passes)


def _plain(text: str) -> str:
    """Return the expression for a text; not all that read it know an escaped ``-``."""
    return re.escape(text).replace(r"\-", "-")


def _listed(names: Sequence[str], separator: str, most: int) -> str:
    one = f"(?:{'|'.join(names)})"
    return f"{one}(?:{separator}{one}){{0,{most - 1}}}"
