"""What a model is shown of a program, before a prompt puts words around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """How a program was made to fit (``fitting``). The values are for records."""

    WHOLE = "whole"
    """Everything is shown."""
    FUNCTIONS = "functions"
    """A module does not fit: its functions are shown one by one."""
    HEAD = "head"
    """A function does not fit: its features and its first lines are shown."""
    TOTALS = "totals"
    """A function does not fit: the model, which knows this form, is told how often each instruction
    occurs (the prompt ``compact``)."""
    FEATURES = "features"
    """Not even the first line of a function fits: its features are shown."""
    NOTHING = "nothing"
    """Nothing can be shown."""


@dataclass(frozen=True, slots=True)
class View:
    """One text for a model: a program, a function of it, or what of that fits."""

    text: str
    """IR without a newline at its end; what is not IR is in comments."""
    rule: Rule = Rule.WHOLE
    """What this text is: ``WHOLE``, ``HEAD`` or ``FEATURES``; or ``TOTALS``, where it is the IR of
    which the prompt shows the totals."""
    function: str | None = None
    """Name of the function that is shown, where the program was split; with its ``@``."""
    lines: int = 0
    """Lines of that function, shown or not: its weight among the others."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to an instruction-tuned model."""

    role: str
    """``system``, ``user``, or ``assistant`` for what the model itself said in an earlier turn."""
    content: str


Request = str | tuple[Message, ...]
"""What a model is given: a text to go on with, or messages that its chat template joins."""


def features_view(features: Mapping[str, int]) -> View:
    """Return a view of features by name, as comments; zeros are left out, and that is said.

    Args:
        features: For example of ``feature_names("autophase")`` and ``Session.features``.
    """
    named = [f"; {name} = {value}" for name, value in features.items() if value]
    text = "\n".join(["; features (those that are not here are 0):", *named])
    return View(text, Rule.FEATURES)
