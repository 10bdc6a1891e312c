"""Submissions: the records of finished runs become an entry of a leaderboard, or nothing does.

All that a maintainer's machine will check is checked here first, so that a submission that was
written is one that can be accepted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from llmopt_bench.action_set import NAME
from llmopt_bench.board_programs import PROGRAMS, read_programs, zipped
from llmopt_bench.card import Card
from llmopt_bench.entries import (
    CARD,
    RECORDS,
    Entry,
    entry_of,
    read_entry,
    task_folders,
    task_of,
)
from llmopt_bench.errors import BadEntry, shown
from llmopt_bench.plain_file import write_folder, write_whole
from llmopt_bench.record import Record
from llmopt_bench.verify import Finding

Replay = Callable[[Sequence[Record]], list[Finding]]
"""Returns what is wrong with records: ``verify_records`` with its options."""


def submit(
    records: Iterable[Record],
    card: Card,
    boards: Path,
    replay: Replay,
    *,
    add: bool = False,
) -> Path:
    """Write an entry of a leaderboard, whole or not at all, and return its folder.

    Args:
        records: Records of one task. Those of other agents, or of other versions, are left out.
        card: The card of the agent.
        boards: The folder ``leaderboards``.
        replay: Replays the records.
        add: Add runs at further budgets to an entry that is there. What it holds stays.

    Raises:
        BadEntry: The records break a rule of the board or do not hold, there is no such board, or
            the entry is there already; with ``add``, if it is not, or has another card.
        OSError: It cannot be written.
    """
    records = [r for r in records if (r.agent, r.agent_version) == (card.agent, card.version)]
    board = _board(boards, records, card)
    task = task_of(board)
    programs = read_programs(board / PROGRAMS, task)
    folder = board / card.folder
    _check_target(folder, add)
    entry = entry_of(card, iter(records), task, programs, card.folder)
    kept = _runs_kept(read_entry(folder, task, programs), entry) if add else []
    if findings := replay(list(entry.records)):
        raise BadEntry(
            f"{len({f.record.key for f in findings}):,} of {len(records):,} records do not hold; "
            f"the first: {findings[0]}. `llmopt-bench verify` lists all."
        )
    data = _file_of([*kept, *entry.records])
    if add:
        write_whole(folder / RECORDS, data)
    else:
        write_folder(folder, {CARD: card.to_toml().encode(), RECORDS: data})
    return folder


def _board(boards: Path, records: Sequence[Record], card: Card) -> Path:
    """Return the folder of the task that the records are of."""
    if not records:
        raise BadEntry(f"expected records of {card.agent} {card.version}, found none.")
    name = records[0].task
    board = boards / name
    if not NAME.fullmatch(name) or not (board / PROGRAMS).is_file():
        known = ", ".join(folder.name for folder in task_folders(boards)) or "none"
        raise BadEntry(
            f"{boards}: there is no board of the task {shown(name)}. Open: {known}. Use a checkout "
            "of the repository with --to; maintainers open a board with `llmopt-bench open-board`."
        )
    return board


def _check_target(folder: Path, add: bool) -> None:
    there = os.path.lexists(folder)
    if there and not add:
        raise BadEntry(
            f"{folder}: there is an entry of this name. Give another agent another version; for "
            "runs of the same one at further budgets use --add."
        )
    if add and not there:
        raise BadEntry(f"{folder}: there is no entry to add to. Leave out --add.")


def _runs_kept(present: Entry, further: Entry) -> list[Record]:
    """Return the records of an entry, which stay if others are added."""
    if present.card != further.card:
        keys = [k for k in Card.__slots__ if getattr(present.card, k) != getattr(further.card, k)]
        raise BadEntry(
            f"expected the card that is there, got another {', '.join(keys)}. Use the same card, "
            "or give the agent another version."
        )
    if again := {run.budget for run in present.runs} & {run.budget for run in further.runs}:
        raise BadEntry(
            f"expected runs at budgets that are not there yet, got {min(again):,} again. Leave "
            "these records out."
        )
    return list(present.records)


def _file_of(records: Iterable[Record]) -> bytes:
    ordered = sorted(records, key=lambda r: (r.budget, r.program, r.seed, r.repetition))
    return zipped("".join(f"{record.to_json()}\n" for record in ordered).encode())
