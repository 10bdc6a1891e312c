"""Entries of leaderboards: what was submitted, read without trusting it and without a compiler.

``leaderboards/<task>/<agent>-<version>/`` holds ``card.toml`` and ``records.jsonl.gz``, and nothing
else. Beside the entries of a task stands ``programs.jsonl.gz``, which is the maintainers': what the
programs of the task are and what -Oz makes of them. An entry is read here if everything holds that
can be known without LLVM; ``llmopt-bench verify`` replays it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from llmopt_bench.board_programs import PROGRAMS, ProgramFacts, read_programs
from llmopt_bench.card import MAX_FILE_BYTES, Card, read_card
from llmopt_bench.entry_rules import Rules
from llmopt_bench.errors import BadCard, BadEntry, BadRecord, BadTask, shorten, shown
from llmopt_bench.record import Record, read_records
from llmopt_bench.task import Task, make_task, task_names

CARD = "card.toml"
RECORDS = "records.jsonl.gz"
TASK = "task.toml"
"""In the folder of a task that is not one of the library's own."""
MAX_RECORDS_BYTES = 1 << 28
"""Of ``records.jsonl.gz``, as it lies on the disk."""


@dataclass(frozen=True, slots=True)
class EntryRun:
    """All records of an entry at one budget, by program, seed and repetition."""

    budget: int
    records: tuple[Record, ...]

    @property
    def most(self) -> int:
        """The most additional compilations on any program, which decides the tracks of the run."""
        return max(record.additional_compilations for record in self.records)


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one agent on the board of a task."""

    card: Card
    runs: tuple[EntryRun, ...]
    """By budget, the smallest first."""

    @property
    def records(self) -> Iterator[Record]:
        """All records, run by run."""
        return (record for run in self.runs for record in run.records)


def read_entry(folder: Path, task: Task, programs: Mapping[str, ProgramFacts]) -> Entry:
    """Return the entry in a folder.

    Args:
        folder: The folder ``<agent>-<version>``.
        task: The task of the board.
        programs: The programs of the task, as ``read_programs`` gives them.

    Raises:
        BadEntry: It breaks a rule; the message says which, and where.
    """
    _check_files(folder)
    card = _card(folder / CARD)
    if card.folder != folder.name:
        raise BadEntry(
            f"{_place(folder)}: expected the folder {card.folder!r}, as its card says, got "
            f"{shown(folder.name)}. Rename the folder or correct the card."
        )
    return entry_of(card, read_submitted(folder / RECORDS), task, programs, _place(folder))


def entry_of(
    card: Card,
    records: Iterator[Record],
    task: Task,
    programs: Mapping[str, ProgramFacts],
    source: str,
) -> Entry:
    """Return the entry that a card and records make.

    Args:
        card: The card.
        records: The records, in any order; reading stops at the first that breaks a rule.
        task: The task of the board.
        programs: The programs of the task.
        source: Where they come from, for messages.

    Raises:
        BadEntry: They break a rule.
    """
    rules = Rules(card, task, programs)
    try:
        kept = [record for record in records if rules.admit(record)]
        rules.finish()
    except (BadEntry, BadRecord) as error:
        raise BadEntry(f"{source}: {error}") from error
    kept.sort(key=lambda r: (r.budget, r.program, r.seed, r.repetition))
    by_budget = groupby(kept, attrgetter("budget"))
    return Entry(card, tuple(EntryRun(budget, tuple(run)) for budget, run in by_budget))


def read_entries(folder: Path, task: Task) -> list[Entry]:
    """Return all entries of a task, by the names of their folders.

    Args:
        folder: The folder of the task, ``leaderboards/<task>``.
        task: The task.

    Raises:
        BadEntry: One breaks a rule, or the programs of the task cannot be read.
    """
    programs = read_programs(folder / PROGRAMS, task)
    return [read_entry(entry, task, programs) for entry in entry_folders(folder)]


def entry_folders(folder: Path) -> list[Path]:
    """Return the folders of the entries of a task, by name. Hidden folders are drafts.

    Raises:
        BadEntry: There is no such folder, a link is in it, or two entries have names that differ
            in capitals only.
    """
    found: dict[str, Path] = {}
    for item in _items(folder):
        if item.is_symlink():
            raise BadEntry(f"{_place(Path(item.path))}: a link. Put the folder itself there.")
        if item.name.startswith(".") or not item.is_dir(follow_symlinks=False):
            continue
        first = found.setdefault(item.name.casefold(), Path(item.path))
        if first.name != item.name:
            raise BadEntry(
                f"{_place(folder)}: {first.name!r} and {item.name!r} cannot be told apart on every "
                "machine. Rename one."
            )
    return sorted(found.values())


def task_folders(root: Path) -> list[Path]:
    """Return the folders of the tasks in ``leaderboards``, by name: those that list programs.

    Raises:
        BadEntry: There is no such folder.
    """
    folders = (Path(item.path) for item in _items(root) if item.is_dir(follow_symlinks=False))
    return [folder for folder in folders if os.path.lexists(folder / PROGRAMS)]


def task_of(folder: Path) -> Task:
    """Return the task that a folder of leaderboards is for: the one of its name.

    Raises:
        BadEntry: No task of this name is shipped or described by ``task.toml`` in the folder, or
            both are.
    """
    name, own = folder.name, folder / TASK
    described = os.path.lexists(own)
    if name in task_names():
        if described:
            raise BadEntry(f"{_place(own)}: {name} is a task of the library. Remove this file.")
        return make_task(name)
    if not described:
        raise BadEntry(
            f"{_place(folder)}: expected the name of a task, or {TASK} in it, got neither. "
            "`llmopt-bench open-board` makes the folder of a task."
        )
    if own.is_symlink():
        raise BadEntry(f"{_place(own)}: a link. Put the file itself there.")
    try:
        task = make_task(own)
    except BadTask as error:
        raise BadEntry(str(error)) from error
    if task.name != name:
        raise BadEntry(
            f"{_place(own)}: expected the task {shown(name)}, as the folder says, got "
            f"{task.name!r}. Rename the folder."
        )
    return task


def read_submitted(path: Path) -> Iterator[Record]:
    """Yield the records of one file.

    Raises:
        BadEntry: The file is too large, or is no plain file.
        BadRecord: As ``read_records``.
    """
    _check_file(path, MAX_RECORDS_BYTES)
    yield from read_records(path)


def _card(path: Path) -> Card:
    try:
        return read_card(path)
    except BadCard as error:
        raise BadEntry(str(error)) from error


def _check_files(folder: Path) -> None:
    """Refuse a folder that holds anything but the two files of an entry."""
    if folder.is_symlink():
        raise BadEntry(f"{_place(folder)}: a link. Put the folder itself there.")
    names = {item.name for item in _items(folder)}
    if names != {CARD, RECORDS}:
        shown_names = ", ".join(sorted(map(ascii, names))) or "nothing"
        raise BadEntry(
            f"{_place(folder)}: expected {CARD} and {RECORDS} in it and nothing else, got "
            f"{shorten(shown_names, 200)}. `llmopt-bench submit` writes the folder."
        )
    _check_file(folder / CARD, MAX_FILE_BYTES)
    _check_file(folder / RECORDS, MAX_RECORDS_BYTES)


def _check_file(path: Path, limit: int) -> None:
    if path.is_symlink():
        raise BadEntry(f"{_place(path)}: a link. Put the file itself there.")
    if not path.is_file():
        raise BadEntry(f"{_place(path)}: expected a plain file. Put one there.")
    if (size := path.stat().st_size) > limit:
        raise BadEntry(
            f"{_place(path)}: expected at most {limit:,} bytes, got {size:,}. Make it smaller."
        )


def _items(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return sorted(items, key=attrgetter("name"))
    except (OSError, ValueError) as error:
        raise BadEntry(f"{_place(folder)}: cannot read the folder: {error}.") from error


def _place(path: Path) -> str:
    """Return a path as a message shows it, on one line whatever its name is."""
    return shorten(ascii(str(path))[1:-1], 200)
