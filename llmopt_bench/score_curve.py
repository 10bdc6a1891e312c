"""The ranked score of agents against compilations: their anytime curves, on all programs at once.

The formula is that of ``score``; here is only which value of a run counts when.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from llmopt_bench.formulas import overall_improvement
from llmopt_bench.record import Record
from llmopt_bench.score import check_comparable

_run_of = attrgetter("agent", "agent_version", "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCurve:
    """What one version of an agent with one budget has reached after some compilations."""

    agent: str
    agent_version: str
    budget: int
    runs: int
    """Runs with a result; the others are in no sum."""
    failures: int
    compilations: tuple[int, ...]
    """For each run on its own: every program may take that many."""
    overall_improvement: tuple[float | None, ...]
    """One fraction for each; None where a run with a result does not say what it had by then, and
    beyond the budget, where a run that spends would have gone on otherwise."""

    @property
    def final(self) -> float | None:
        """The improvement at the largest number of compilations for which there is one."""
        known = [gain for gain in self.overall_improvement if gain is not None]
        return known[-1] if known else None

    def to_json(self) -> dict[str, Any]:
        """Return the curve as an object for ``json.dumps``."""
        return {name: getattr(self, name) for name in self.__slots__}


def anytime(
    records: Iterable[Record], compilations: Sequence[int] | None = None
) -> list[AgentCurve]:
    """Return the overall improvement after some numbers of compilations, by agent and budget.

    After c compilations a run counts with the best value that the environment had shown by then,
    which is that of the unoptimised program before the first. From its last compilation on it
    counts with its answer, as in ``score``; so an agent that takes none is a level line. The curve
    of any other ends at the budget of its runs. Nothing else is free: who has not tried -Oz does
    not have it.

    Args:
        records: Records of one task.
        compilations: Where to look; 0, 1, 2, 5, 10, ... up to the largest budget if None.

    Raises:
        BadRecord: The records cannot stand in one table; see ``rows_of``.
    """
    ordered = sorted(records, key=_run_of)
    check_comparable(ordered)
    if compilations is None:
        compilations = tuple(ticks(max((record.budget for record in ordered), default=0)))
    return [_curve(list(group), tuple(compilations)) for _, group in groupby(ordered, _run_of)]


def anytime_area(records: Sequence[Record], end: int) -> float | None:
    """Return the mean height of an anytime curve from 1 compilation to ``end``, on a log axis.

    It is the area under the curve of ``anytime``, divided by its width: an agent that has all of
    its improvement at once has that improvement as its area, and one that finds it late has less.
    A run that ended earlier keeps its answer.

    Args:
        records: Records of one version of an agent with one budget.
        end: Additional compilations where the curve ends.

    Returns:
        A fraction; None if ``end`` is less than 2, or a run does not say what it had by then.
    """
    done = [record for record in records if record.new is not None]
    heights = [_value(record, 1) for record in done]
    known = [height for height in heights if height is not None]
    if end < 2 or not known or len(known) < len(heights):
        return None
    oz, total = sum(record.oz for record in done), sum(known)
    area, place = 0.0, 1
    for spent, change in [*sorted(_changes(done, end).items()), (end, 0)]:
        area += overall_improvement([oz], [total]) * math.log(spent / place)
        total, place = total + change, spent
    return area / math.log(end)


def _changes(records: Sequence[Record], end: int) -> dict[int, int]:
    """Return by how much the sum of all runs changes with a compilation after the first."""
    changes: Counter[int] = Counter()
    for record in records:
        spents = {spent for spent, _ in record.curve} | {record.additional_compilations}
        before = _value(record, 1)
        for spent in sorted(spent for spent in spents if 1 < spent < end):
            now = _value(record, spent)
            if before is not None and now is not None:
                changes[spent] += now - before
            before = now
    return changes


def ticks(budget: int) -> Iterator[int]:
    """Yield 0, 1, 2, 5, 10, 20, 50, ... below a budget, and then the budget."""
    yield 0
    decade, step = 1, 0
    while (tick := decade * (1, 2, 5)[step]) < budget:
        yield tick
        step = (step + 1) % 3
        decade *= 1 if step else 10
    if budget:
        yield budget


def fine_ticks(budget: int) -> tuple[int, ...]:
    """Return 0 and about 200 numbers of compilations up to a budget, for a smooth line."""
    if not budget:
        return (0,)
    return (0, *map(int, np.unique(np.geomspace(1, budget, 200).round().astype(np.int64))))


def _curve(records: Sequence[Record], compilations: tuple[int, ...]) -> AgentCurve:
    done = [record for record in records if record.new is not None]
    end = _end(records)
    return AgentCurve(
        agent=records[0].agent,
        agent_version=records[0].agent_version,
        budget=records[0].budget,
        runs=len(done),
        failures=len(records) - len(done),
        compilations=compilations,
        overall_improvement=tuple(
            _improvement(done, spent) if end is None or spent <= end else None
            for spent in compilations
        ),
    )


def _end(records: Sequence[Record]) -> int | None:
    """Return the budget at which a curve ends; None for an agent that spends nothing."""
    if not any(record.additional_compilations for record in records):
        return None
    return max(record.budget for record in records)


def _improvement(records: Sequence[Record], spent: int) -> float | None:
    known = [value for record in records if (value := _value(record, spent)) is not None]
    if not known or len(known) < len(records):
        return None
    return overall_improvement([record.oz for record in records], known)


def _value(record: Record, spent: int) -> int | None:
    """Return what a run had after ``spent`` compilations; None if its record does not say."""
    if spent >= record.additional_compilations:
        return record.new
    place = bisect_right(record.curve, spent, key=lambda point: point[0])
    return record.curve[place - 1][1] if place else None
