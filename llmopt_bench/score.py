"""The scores: the only place of this library where a formula of a result stands.

- overall improvement, ranked: ``sum(Oz) / sum(new) - 1`` (Cummins et al., arXiv 2309.07062)
- mean over Oz: ``mean((Oz - new) / Oz)`` (Coreset-NVP, Compiler-R1, GRACE)
- geomean over Oz: ``geomean(Oz / new)`` (CompilerGym's autotuning, Coreset-NVP)
- scaled reduction: ``geomean((O0 - new) / (O0 - Oz))`` (CompilerGym's public leaderboard)

Only the first one reproduces the table of 2309.07062: with sum(Oz) = 645,773, 21,935 saved and
3,095 regressed it gives the published 3.01 %, where (sum(Oz) - sum(new)) / sum(Oz) gives 2.92 %.

Two conventions make every formula total. A divisor of zero counts as one, and so does a zero under
a geometric mean: a module without instructions has no ratio otherwise. A run without a result is in
no sum and no mean; it is counted in ``failures``, and what was never run in ``missing``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmopt_bench.errors import BadRecord
from llmopt_bench.record import Record

OZ_ANSWER = "Oz"
"""The answer that is ``clang -Oz`` itself, so that a backup costs no further compilation."""

_CELLS_PER_DRAW = 1 << 21
_agent_of = attrgetter("agent", "agent_version")


class ScaledReduction(NamedTuple):
    """The scaled reduction, and how many programs it says nothing about."""

    value: float | None
    """None if every program was left out."""
    left_out: int
    """Programs that -Oz does not shrink, for which the scale has no length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: all runs of one version of one agent. Fractions are fractions.

    ``improved`` and ``regressed`` count runs with new < Oz and new > Oz; ``instructions_saved``
    and ``instructions_regressed`` are what these runs won and lost, both positive, in the unit of
    the task's metric. With several seeds or repetitions all of these are totals over all runs.
    """

    agent: str
    agent_version: str
    programs: int
    """Different programs that were run."""
    runs: int
    """Runs on them: programs, times seeds, times repetitions."""
    improved: int
    regressed: int
    instructions_saved: int
    instructions_regressed: int
    overall_improvement: float | None = None
    """None, as all fractions, if no run has a result."""
    mean_over_oz: float | None = None
    geomean_over_oz: float | None = None
    scaled_reduction: float | None = None
    scaled_left_out: int = 0
    interval: tuple[float, float] | None = None
    """Bootstrap interval of the overall improvement; None for less than two programs."""
    additional_compilations: int
    passes_applied: int
    seconds: float
    failures: int
    """Runs without a valid answer."""
    missing: int
    """Runs that every expected program should have and that have no record."""
    with_backup: Row | None = None
    """The row if -Oz were tried too wherever there is a result, and the smaller one kept."""

    @property
    def complete(self) -> bool:
        """Whether every expected run has a result. Boards refuse rows that are not complete."""
        return not self.failures and not self.missing

    def to_json(self) -> dict[str, Any]:
        """Return the row as an object for ``json.dumps``, with ``complete``."""
        backup = self.with_backup and self.with_backup.to_json()
        return {**asdict(self), "with_backup": backup, "complete": self.complete}


def overall_improvement(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return sum(Oz) / sum(new) - 1, the ranked score (2309.07062, Tables III and IV)."""
    oz_counts, new_counts = _columns(oz, new)
    return float(_overall(oz_counts.sum(), new_counts.sum()))


def mean_over_oz(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return mean((Oz - new) / Oz), where every program weighs the same (Coreset-NVP)."""
    oz_counts, new_counts = _columns(oz, new)
    return float(np.mean((oz_counts - new_counts) / np.maximum(oz_counts, 1)))


def geomean_over_oz(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return geomean(Oz / new), where 1 is as good as -Oz (CompilerGym's autotuning)."""
    oz_counts, new_counts = _columns(oz, new)
    ratios = np.log(np.maximum(oz_counts, 1)) - np.log(np.maximum(new_counts, 1))
    return float(np.exp(ratios.mean()))


def scaled_reduction(
    initial: Sequence[int], oz: Sequence[int], new: Sequence[int]
) -> ScaledReduction:
    """Return geomean((O0 - new) / (O0 - Oz)), where 1 is as good as -Oz (CompilerGym's board).

    Programs that -Oz does not shrink (O0 <= Oz) are left out and counted. A program that the
    answer does not shrink (new >= O0) is a factor of zero, and so makes the whole value zero.
    """
    initial_counts, oz_counts, new_counts = _columns(initial, oz, new)
    scale = initial_counts - oz_counts
    kept = scale > 0
    left_out = len(kept) - int(kept.sum())
    if not kept.any():
        return ScaledReduction(None, left_out)
    factors = np.maximum(initial_counts - new_counts, 0)[kept] / scale[kept]
    value = float(np.exp(np.log(factors).mean())) if factors.all() else 0.0
    return ScaledReduction(value, left_out)


def bootstrap_interval(
    oz: Sequence[int],
    new: Sequence[int],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return a percentile bootstrap interval of the overall improvement.

    Programs are drawn with replacement, so it says how far the score depends on their choice.

    Args:
        oz: For each program, its metric under -Oz, summed over the runs on it: runs on one
            program are not independent of each other.
        new: For each program, its metric under the answer, summed likewise.
        seed: Seed of the generator; the same seed gives the same interval.
        resamples: How many samples to draw.
        level: Share of the samples that lie in the interval.

    Raises:
        BadRecord: There are fewer than two programs, or the sequences differ in length.
    """
    oz_counts, new_counts = _columns(oz, new)
    size = len(oz_counts)
    if size < 2:
        raise BadRecord("an interval needs at least two programs, got one. Run on more.")
    generator = np.random.default_rng(seed)
    scores = []
    step = max(1, _CELLS_PER_DRAW // size)
    for start in range(0, resamples, step):
        drawn = generator.integers(0, size, (min(step, resamples - start), size))
        scores.append(_overall(oz_counts[drawn].sum(axis=1), new_counts[drawn].sum(axis=1)))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(scores), [tail, 1 - tail])
    return float(low), float(high)


def rows_of(
    records: Iterable[Record], expected_programs: Collection[str] | None = None
) -> list[Row]:
    """Return one row for each version of each agent, sorted by name.

    A row is computed from whatever records there are. If a program lacks a record under a seed
    and repetition that the agent ran, ``missing`` counts it and ``complete`` is False.

    Args:
        records: Records of one task.
        expected_programs: URIs that every agent should have run on; if None, those that occur.

    Raises:
        BadRecord: The records belong to several tasks, disagree on what a program or its -Oz is,
            or hold a program that is not expected.
    """
    ordered = sorted(records, key=_agent_of)
    check_comparable(ordered)
    found = {record.program for record in ordered}
    expected = found if expected_programs is None else set(expected_programs)
    if found - expected:
        raise BadRecord(f"not among the expected programs: {min(found - expected)}. Leave it out.")
    return [_row(list(group), expected) for _, group in groupby(ordered, _agent_of)]


def score_table(
    records: Iterable[Record], expected_programs: Collection[str] | None = None
) -> list[Row]:
    """Return the rows of ``rows_of``, best overall improvement first.

    Rows without a score come last; ties go to fewer additional compilations, then to the name.
    """
    return sorted(rows_of(records, expected_programs), key=_rank)


def _rank(row: Row) -> tuple[bool, float, int, str, str]:
    score = row.overall_improvement
    spent = row.additional_compilations
    return score is None, -(score or 0.0), spent, row.agent, row.agent_version


def _overall(oz_sum: Any, new_sum: Any) -> Any:
    return np.maximum(oz_sum, 1) / np.maximum(new_sum, 1) - 1


def _columns(*columns: Sequence[int]) -> tuple[NDArray[np.int64], ...]:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise BadRecord(f"expected counts of the same programs, got {lengths} of them. Align them.")
    if not lengths[0]:
        raise BadRecord("a score needs at least one program, got none. Run an agent first.")
    return tuple(np.asarray(column, dtype=np.int64) for column in columns)


def check_comparable(records: Sequence[Record]) -> None:
    """Refuse a mix of records that no table could be honest about."""
    kinds = {(r.task, r.task_sha256, r.metric, r.action_set_sha256) for r in records}
    if len(kinds) > 1:
        raise BadRecord(f"expected records of one task, got {sorted(kinds)}. Score each alone.")
    if len({record.key for record in records}) != len(records):
        raise BadRecord("expected every run once, got one twice. Remove the copy.")
    facts: dict[str, tuple[str, int, int]] = {}
    for record in records:
        fact = (record.program_sha256, record.initial, record.oz)
        if (first := facts.setdefault(record.program, fact)) != fact:
            raise BadRecord(
                f"{record.program}: expected {first} as its hash, initial and oz, got {fact}. "
                "Were these records made by different LLVMs? Run them again with one."
            )


def _row(records: Sequence[Record], expected: set[str]) -> Row:
    done = [(record, record.new) for record in records if record.new is not None]
    plain = _row_of_answers(records, done, expected)
    backup = _row_of_answers(records, [(r, min(new, r.oz)) for r, new in done], expected)
    spent = plain.additional_compilations + sum(r.pass_list != OZ_ANSWER for r, _ in done)
    return replace(plain, with_backup=replace(backup, additional_compilations=spent))


def _row_of_answers(
    records: Sequence[Record], answers: Sequence[tuple[Record, int]], expected: set[str]
) -> Row:
    deltas = [record.oz - new for record, new in answers]
    runs = {(r.seed, r.repetition) for r in records}
    return Row(
        agent=records[0].agent,
        agent_version=records[0].agent_version,
        programs=len({record.program for record in records}),
        runs=len(records),
        improved=sum(delta > 0 for delta in deltas),
        regressed=sum(delta < 0 for delta in deltas),
        instructions_saved=sum(delta for delta in deltas if delta > 0),
        instructions_regressed=-sum(delta for delta in deltas if delta < 0),
        **_fractions(answers),
        additional_compilations=sum(record.additional_compilations for record in records),
        passes_applied=sum(record.passes_applied for record in records),
        seconds=sum(record.wall_seconds for record in records),
        failures=len(records) - len(answers),
        missing=len(expected) * len(runs) - len(records),
    )


def _fractions(answers: Sequence[tuple[Record, int]]) -> dict[str, Any]:
    if not answers:
        return {}
    initial = [record.initial for record, _ in answers]
    oz = [record.oz for record, _ in answers]
    new = [count for _, count in answers]
    scaled = scaled_reduction(initial, oz, new)
    return {
        "overall_improvement": overall_improvement(oz, new),
        "mean_over_oz": mean_over_oz(oz, new),
        "geomean_over_oz": geomean_over_oz(oz, new),
        "scaled_reduction": scaled.value,
        "scaled_left_out": scaled.left_out,
        "interval": _interval(answers),
    }


def _interval(answers: Sequence[tuple[Record, int]]) -> tuple[float, float] | None:
    totals: dict[str, list[int]] = {}
    for record, new in answers:
        total = totals.setdefault(record.program, [0, 0])
        total[0] += record.oz
        total[1] += new
    if len(totals) < 2:
        return None
    # Sorted, so that the interval does not depend on the order of the records.
    oz, new_sums = zip(*(totals[program] for program in sorted(totals)), strict=True)
    return bootstrap_interval(oz, new_sums)
