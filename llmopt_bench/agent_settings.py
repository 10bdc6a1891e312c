"""The settings of an agent: every one with its value, as a record can hold it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from llmopt_bench.errors import BadAgent, shorten

Scalar = str | int | float | bool | None


def bound_settings(
    name: str, target: Callable[..., object], settings: dict[str, Any], skip: int
) -> dict[str, Scalar]:
    """Return every setting of ``target`` with its value; ``skip`` arguments are not settings."""
    try:
        signature = inspect.signature(target)
    except ValueError as error:  # some that are written in C
        raise BadAgent(f"agent {name!r}: its settings are hidden. Write it in Python.") from error
    own = list(signature.parameters.values())[skip:]
    try:
        bound = signature.replace(parameters=own).bind(**settings)
    except TypeError as error:
        names = ", ".join(parameter.name for parameter in own) or "none"
        text = shorten(str(error), 200)
        raise BadAgent(f"agent {name!r}: {text}. Its settings: {shorten(names, 500)}.") from error
    bound.apply_defaults()
    values: dict[str, Any] = {}
    for parameter in own:
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            values.update(value)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            values[parameter.name] = value
    return {key: _scalar(value) for key, value in values.items()}


def field_values(agent: object) -> dict[str, Scalar]:
    """Return the fields of an agent that is a dataclass; nothing for others."""
    if not is_dataclass(agent):
        return {}
    return {field.name: _scalar(getattr(agent, field.name)) for field in fields(agent)}


def _scalar(value: object) -> Scalar:
    """Return a setting as a record can hold it; JSON has no NaN and no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
