"""Boards: the entries of one task, ranked in tracks by what they spend on additional compilations.

Reads no file and writes none. Scores are those of ``score``; here is who stands where:

- A track has a limit. In it stands each version of an agent once, with its best run among those
  of which no record took more additional compilations.
- Standings are ordered by overall improvement. Whoever cannot be told apart from the best of a rank
  shares that rank: the bootstrap interval of the difference of the two on the same programs holds
  0. The first who can be told apart has the next rank, its place in the order, and is the one to
  compare with from there on. So all of a rank are measured at one standing, and a chain of small
  differences does not tie the first with the last.
- An agent that has learnt from code of the test set stands apart and has no rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from llmopt_bench.card import Card
from llmopt_bench.datasets.shared_code import share_code
from llmopt_bench.entries import Entry, EntryRun
from llmopt_bench.errors import BadEntry
from llmopt_bench.formulas import difference_interval
from llmopt_bench.score import Row, best_first, check_comparable, program_totals, rows_of
from llmopt_bench.score_curve import anytime_area
from llmopt_bench.task import Task, make_task, task_names

TRACKS: tuple[int | None, ...] = (0, 10, 100, 1000, None)
"""The most additional compilations that any program may take; None: no limit."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One version of an agent in one track."""

    card: Card
    run: EntryRun
    row: Row
    area: float | None
    """``score_curve.anytime_area`` up to the track's limit, or without one up to the budget of the
    task; None where nothing may be spent, and for records without a curve."""
    rank: int | None
    """From 1; None if it is not ranked."""
    tied: bool
    """Whether others have this rank: the 95 % bootstrap interval of the difference of their
    overall improvements to that of the best of this rank, on the same programs, holds 0."""


@dataclass(frozen=True, slots=True)
class Track:
    """The standings of all who kept to a limit."""

    limit: int | None
    """One of ``TRACKS``."""
    standings: tuple[Standing, ...]
    """Those that are ranked, best first."""
    apart: tuple[Standing, ...]
    """Those that have learnt from code of the test set, best first."""


@dataclass(frozen=True, slots=True)
class Board:
    """All tracks of one task."""

    task: Task
    programs: tuple[str, ...]
    """URIs of the programs that every entry has an answer for, sorted."""
    tracks: tuple[Track, ...]
    """One for each of ``TRACKS``, in this order."""
    entries: tuple[Entry, ...]
    """All of them, by agent and version."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One run of an entry, and what it comes to."""

    entry: Entry
    run: EntryRun
    row: Row
    totals: dict[str, tuple[int, int]] = field(repr=False)


def make_board(
    task: Task, entries: Sequence[Entry], programs: Collection[str] | None = None
) -> Board:
    """Rank entries; the order they come in does not matter.

    Args:
        task: The task.
        entries: Its entries, as ``entries.read_entries`` gives them; there may be none.
        programs: URIs of the programs of the task; those that occur if None.

    Raises:
        BadEntry: An entry is of another task, or of another version of it, or there twice, or one
            lacks an answer that others have.
        BadRecord: Entries disagree on what a program or its -Oz is.
    """
    ordered = tuple(sorted(entries, key=lambda entry: (entry.card.agent, entry.card.version)))
    _check(task, ordered)
    if programs is None:
        programs = {record.program for entry in ordered for record in entry.records}
    programs = sorted(programs or task.programs)
    candidates = [_candidate(entry, run, programs) for entry in ordered for run in entry.runs]
    apart = {entry.card.folder for entry in ordered if learnt_from_test_set(entry, task)}
    tracks = tuple(_track(task, limit, candidates, apart) for limit in TRACKS)
    return Board(task, tuple(programs), tracks, ordered)


def learnt_from_test_set(entry: Entry, task: Task) -> bool:
    """Whether card or records name code of the task's programs, or a task with such, as learnt."""
    learnt = {*entry.card.trained_on, *(name for r in entry.records for name in r.trained_on)}
    names = {part for name in learnt for part in _program_sets(name, task)}
    return any(share_code(name, tested) for name in names for tested in _tested(task))


def _program_sets(name: str, task: Task) -> Sequence[str]:
    """Return what a name of ``trained_on`` means: the programs of a task, if it is one."""
    if name == task.name:
        return _tested(task)
    return _tested(make_task(name)) if name in task_names() else (name,)


def _tested(task: Task) -> Sequence[str]:
    return task.programs if task.dataset is None else (task.dataset,)


def _check(task: Task, entries: Sequence[Entry]) -> None:
    for folder, count in Counter(entry.card.folder for entry in entries).items():
        if count > 1:
            raise BadEntry(f"{folder}: expected one entry of this name, got two. Remove one.")
    records = [record for entry in entries for record in entry.records]
    sha256 = task.sha256
    for record in records:
        if (record.task, record.task_sha256) != (task.name, sha256):
            raise BadEntry(
                f"{record.agent} {record.agent_version}: expected records of {task.name} "
                f"{sha256[:12]}, got {record.task} {record.task_sha256[:12]}. Versions of a "
                "task do not mix: run the agent on this one."
            )
    check_comparable(records)


def _candidate(entry: Entry, run: EntryRun, programs: Sequence[str]) -> _Candidate:
    (row,) = rows_of(run.records, programs)
    if not row.complete:
        raise BadEntry(
            f"{entry.card.folder}: expected an answer for each of {len(programs):,} programs "
            f"within {run.budget:,} compilations, got {row.failures:,} failures and "
            f"{row.missing:,} missing. Finish the run."
        )
    return _Candidate(entry, run, row, program_totals(run.records))


def _track(
    task: Task, limit: int | None, candidates: Sequence[_Candidate], apart: set[str]
) -> Track:
    best: dict[str, _Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: best_first(candidate.row)):
        if limit is None or candidate.run.most <= limit:
            best.setdefault(candidate.entry.card.folder, candidate)
    end = task.budget if limit is None else limit
    return Track(
        limit,
        _ranked([c for folder, c in best.items() if folder not in apart], end),
        tuple(_standing(c, end, None) for folder, c in best.items() if folder in apart),
    )


def _ranked(candidates: Sequence[_Candidate], end: int) -> tuple[Standing, ...]:
    """Return the standings of candidates that come best first."""
    ranks: list[int] = []
    for place, candidate in enumerate(candidates, start=1):
        shared = ranks and _tied(candidates[ranks[-1] - 1], candidate)
        ranks.append(ranks[-1] if shared else place)
    return tuple(
        replace(_standing(candidate, end, rank), tied=ranks.count(rank) > 1)
        for candidate, rank in zip(candidates, ranks, strict=True)
    )


def _tied(better: _Candidate, worse: _Candidate) -> bool:
    low, high = difference_interval(better.totals, worse.totals)
    return low <= 0 <= high


def _standing(candidate: _Candidate, end: int, rank: int | None) -> Standing:
    area = anytime_area(candidate.run.records, end)
    return Standing(candidate.entry.card, candidate.run, candidate.row, area, rank, tied=False)
