"""What each field of a record may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from llmopt_bench.task import METRICS

SCHEMA = 1
STATUSES = ("ok", "failed")


def shown(value: object) -> str:
    """Return ``value`` as an error message shows it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: object) -> bool:
    return _is_count(value) or (isinstance(value, float) and math.isfinite(value) and value >= 0)


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _mapping_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        return isinstance(value, dict) and all(
            isinstance(key, str) and holds(entry) for key, entry in value.items()
        )

    return check


def _optional(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or holds(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_COUNT = ("an integer of 0 or more", _is_count)
_NAME = ("a string that is not empty", _is_name)
_SHA256 = ("64 lower-case hexadecimal digits", _is_sha256)

CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "schema": (f"{SCHEMA}", lambda value: value == SCHEMA and _is_count(value)),
    "task": _NAME,
    "task_sha256": _SHA256,
    "program": _NAME,
    "program_sha256": _SHA256,
    "agent": _NAME,
    "agent_version": _NAME,
    "agent_settings": ("an object of JSON scalars", _mapping_of(_is_scalar)),
    "seed": _COUNT,
    "repetition": _COUNT,
    "action_set": _NAME,
    "action_set_sha256": _SHA256,
    "metric": (f"one of {', '.join(METRICS)}", lambda value: value in METRICS),
    "budget": _COUNT,
    "pass_list": ("a string", _is_text),
    "status": (f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES),
    "error": ("a string or null", _optional(_is_text)),
    "initial": _COUNT,
    "oz": _COUNT,
    "new": (f"{_COUNT[0]}, or null", _optional(_is_count)),
    "module_sha256": (f"{_SHA256[0]}, or null", _optional(_is_sha256)),
    "additional_compilations": _COUNT,
    "passes_applied": _COUNT,
    "wall_seconds": ("a finite number of 0 or more", _is_amount),
    "llvm_version": _NAME,
    "package_version": _NAME,
    "usage": ("an object of numbers of 0 or more", _mapping_of(_is_amount)),
    "trained_on": (
        "a list of names",
        lambda value: isinstance(value, tuple) and all(map(_is_name, value)),
    ),
    "build": ("an object of strings", _mapping_of(_is_text)),
}
"""For each field, what is expected in words, and whether a value is that."""
