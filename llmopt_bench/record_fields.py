"""What each field of a record may hold, and how a line of JSON becomes fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from llmopt_bench.errors import BadRecord, shorten, shown
from llmopt_bench.task import METRICS

SCHEMA = 1
STATUSES = ("ok", "failed")
MAX_SIZE = 2**40
"""The largest count of instructions or bytes. The sum of millions of these is exact in 64 bits."""
MAX_AMOUNT = 2.0**63
"""The largest number of seconds, tokens and the like: sums of these stay finite."""


def read_object(line: str) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Raises:
        BadRecord: It is not JSON, not an object, or an object in it has a key twice.
    """
    try:
        content = json.loads(line, object_pairs_hook=_without_repeats)
    except BadRecord:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRecord(
            f"expected a line of JSON: {shorten(str(error), 200)}. Is the file cut?"
        ) from error
    if not isinstance(content, dict):
        raise BadRecord(f"expected a JSON object, got {shown(content)}. Is this a file of records?")
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise BadRecord("expected every key once, got one twice. Remove it.")
    return content


def check_outcome(status: str, new: int | None, module: str | None, error: str | None) -> None:
    """Check that the result of a run is there if, and only if, the run succeeded.

    Raises:
        BadRecord: These values contradict each other.
    """
    got = f"got new={new!r}, module_sha256={module!r}, error={shown(error)}."
    if status == "ok" and (new is None or module is None or error is not None):
        raise BadRecord(f"status: 'ok' needs new and module_sha256, and no error, {got}")
    if status == "failed" and (new is not None or module is not None or not error):
        raise BadRecord(
            f"status: 'failed' needs an error, and neither new nor module_sha256, {got}"
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_size(value: object) -> bool:
    return _is_count(value) and value <= MAX_SIZE  # type: ignore[operator]


def is_amount(value: object) -> bool:
    """Whether ``value`` is a number that a record can hold as a time or a use of something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MAX_AMOUNT


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
_SIZE = (f"an integer from 0 to {MAX_SIZE}", _is_size)
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
    "initial": _SIZE,
    "oz": _SIZE,
    "new": (f"{_SIZE[0]}, or null", _optional(_is_size)),
    "module_sha256": (f"{_SHA256[0]}, or null", _optional(_is_sha256)),
    "additional_compilations": _COUNT,
    "passes_applied": _COUNT,
    "wall_seconds": ("a number of 0 or more, below 2**63", is_amount),
    "llvm_version": _NAME,
    "package_version": _NAME,
    "usage": ("an object of numbers of 0 or more", _mapping_of(is_amount)),
    "trained_on": (
        "a list of names",
        lambda value: isinstance(value, tuple) and all(map(_is_name, value)),
    ),
    "build": ("an object of strings", _mapping_of(_is_text)),
}
"""For each field, what is expected in words, and whether a value is that."""
