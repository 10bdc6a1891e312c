"""The rows of a table: what the runs of an agent come to, by the formulas of ``formulas``.

A run without a result is in no sum and no mean; it is counted in ``failures``, and what was never
run in ``missing``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from llmopt_bench.errors import BadRecord
from llmopt_bench.formulas import (
    bootstrap_interval,
    geomean_over_oz,
    mean_over_oz,
    overall_improvement,
    scaled_reduction,
)
from llmopt_bench.record import Record

OZ_ANSWER = "Oz"
"""The answer that is ``clang -Oz`` itself, so that a backup costs no further compilation."""

_run_of = attrgetter("agent", "agent_version", "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: the runs of one version of an agent with one budget.

    Fractions are fractions.

    ``improved`` and ``regressed`` count runs with new < Oz and new > Oz; ``instructions_saved``
    and ``instructions_regressed`` are what these runs won and lost, both positive, in the unit of
    the task's metric. With several seeds or repetitions all of these are totals over all runs.
    """

    agent: str
    agent_version: str
    budget: int
    """The most additional compilations that a run was allowed."""
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


def program_totals(records: Iterable[Record]) -> dict[str, tuple[int, int]]:
    """Return for each program its -Oz and its result, summed over the runs with a result."""
    return _totals((record, record.new) for record in records if record.new is not None)


def rows_of(
    records: Iterable[Record], expected_programs: Collection[str] | None = None
) -> list[Row]:
    """Return one row for each version of each agent and each of its budgets, sorted.

    A row is computed from whatever records there are. If a program lacks a record under a seed
    and repetition that the agent ran, ``missing`` counts it and ``complete`` is False.

    Args:
        records: Records of one task.
        expected_programs: URIs that every agent should have run on; if None, those that occur.

    Raises:
        BadRecord: The records belong to several tasks, disagree on what a program or its -Oz is,
            or hold a program that is not expected.
    """
    ordered = sorted(records, key=_run_of)
    check_comparable(ordered)
    found = {record.program for record in ordered}
    expected = found if expected_programs is None else set(expected_programs)
    if found - expected:
        raise BadRecord(f"not among the expected programs: {min(found - expected)}. Leave it out.")
    return [_row(list(group), expected) for _, group in groupby(ordered, _run_of)]


def score_table(
    records: Iterable[Record], expected_programs: Collection[str] | None = None
) -> list[Row]:
    """Return the rows of ``rows_of``, best overall improvement first.

    Rows without a score come last; ties go to fewer additional compilations per run, then to the
    name.
    """
    return sorted(rows_of(records, expected_programs), key=best_first)


def best_first(row: Row) -> tuple[object, ...]:
    """Return what rows are sorted by in tables; no two rows of one table have the same."""
    score, spent = row.overall_improvement, row.additional_compilations / row.runs
    name = (row.agent, row.agent_version, row.budget)
    return (score is None, -(score or 0.0), spent, *name)


def check_comparable(records: Sequence[Record]) -> None:
    """Refuse a mix of records that no table could be honest about."""
    kinds = {(r.task, r.task_sha256, r.metric, r.action_set_sha256) for r in records}
    if len(kinds) > 1:
        one, two, *_ = (
            f"{task} {sha256[:12]} ({metric}, actions {actions[:12]})"
            for task, sha256, metric, actions in sorted(kinds)
        )
        raise BadRecord(
            f"expected records of one task, in one version, got {one} and {two}. Score each alone."
        )
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
        budget=records[0].budget,
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
    totals = _totals(answers)
    if len(totals) < 2:
        return None
    # Sorted, so that the interval does not depend on the order of the records.
    oz, new_sums = zip(*(totals[program] for program in sorted(totals)), strict=True)
    return bootstrap_interval(oz, new_sums)


def _totals(answers: Iterable[tuple[Record, int]]) -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for record, new in answers:
        oz, before = totals.get(record.program, (0, 0))
        totals[record.program] = (oz + record.oz, before + new)
    return totals
