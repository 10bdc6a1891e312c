"""What each field of a record may hold, and how a line of JSON becomes fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from llmopt_bench.anytime import MAX_POINTS
from llmopt_bench.errors import BadRecord, shorten, shown, unknown
from llmopt_bench.task import METRICS

SCHEMA = 2
ADDED = {"curve": 2}
"""For each field that not every schema has, the first that has it. Older records stay readable."""
STATUSES = ("ok", "failed")
MAX_SIZE = 2**40
"""The largest count of instructions or bytes. The sum of millions of these is exact in 64 bits."""
MAX_AMOUNT = 2.0**63
"""The largest number of seconds, tokens and the like: sums of these stay finite."""


def read_object(line: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object of a line that has the keys of its schema, and no others.

    Args:
        line: The line.
        names: The keys of today's schema.

    Raises:
        BadRecord: It is not JSON, not an object, an object in it has a key twice, or a key is
            missing or unknown.
    """
    content = _object(line)
    schema = content.get("schema")
    old = _is_schema(schema) and schema < SCHEMA  # type: ignore[operator]
    known = [name for name in names if not old or ADDED.get(name, 1) <= schema]  # type: ignore[operator]
    for name in content:
        if name not in known:
            raise BadRecord(unknown("key", shorten(name), known))
    missing = [name for name in known if name not in content]
    if missing:
        raise BadRecord(f"{', '.join(missing)}: missing. A record has all of its keys.")
    return content


def _object(line: str) -> dict[str, Any]:
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


def check_values(values: Mapping[str, Any]) -> None:
    """Check all fields of a record.

    Raises:
        BadRecord: A value has the wrong type or range, or values contradict each other.
    """
    for name, (expected, holds) in _CHECKS.items():
        if not holds(values[name]):
            raise BadRecord(f"{name}: expected {expected}, got {shown(values[name])}. Correct it.")
    _check_outcome(values["status"], values["new"], values["module_sha256"], values["error"])
    spent, budget = values["additional_compilations"], values["budget"]
    if spent > budget:
        raise BadRecord(
            f"additional_compilations: expected at most the budget of {shown(budget)}, "
            f"got {shown(spent)}. Run again within the budget."
        )
    if values["curve"]:
        _check_curve(values["curve"], values["schema"], values["initial"], spent)


def _check_curve(points: Sequence[tuple[int, int]], schema: int, initial: int, spent: int) -> None:
    if schema < ADDED["curve"]:
        raise BadRecord(f"curve: expected none in schema {schema}, got one. Use schema {SCHEMA}.")
    if points[0] != (0, initial) or points[-1][0] > spent:
        raise BadRecord(
            f"curve: expected it to go from [0, {shown(initial)}], the initial value, to at most "
            f"{shown(spent)} compilations, got {shown(points)}. Correct it."
        )


def _check_outcome(status: str, new: int | None, module: str | None, error: str | None) -> None:
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


def _is_schema(value: object) -> bool:
    return _is_count(value) and 1 <= value <= SCHEMA  # type: ignore[operator]


def _is_curve(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > MAX_POINTS:
        return False
    if not all(isinstance(p, tuple) and len(p) == 2 and all(map(_is_size, p)) for p in value):
        return False
    return all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_COUNT = ("an integer of 0 or more", _is_count)
_SIZE = (f"an integer from 0 to {MAX_SIZE}", _is_size)
_NAME = ("a string that is not empty", _is_name)
_SHA256 = ("64 lower-case hexadecimal digits", _is_sha256)

_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "schema": (f"an integer from 1 to {SCHEMA}", _is_schema),
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
    "curve": (
        f"at most {MAX_POINTS} pairs of integers, the first rising and the second falling",
        _is_curve,
    ),
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
