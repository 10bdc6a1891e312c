"""Entries that nobody has submitted, for tests of boards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from made_records import made_record

from llmopt_bench import Record, Task, make_action_set
from llmopt_bench.board_programs import PROGRAMS, ProgramFacts, programs_file, zipped
from llmopt_bench.card import Card
from llmopt_bench.entries import CARD, RECORDS, Entry, EntryRun
from llmopt_bench.entries import TASK as TASK_FILE

TASK = Task(name="t", metric="instruction_count", budget=1000, programs=("a", "b", "c"))
OZ = 1000


def made_card(agent: str = "a", **changes: Any) -> Card:
    """Return a card of an agent's version 1 that has learnt nothing."""
    values: dict[str, Any] = {
        "agent": agent,
        "version": "1",
        "kind": "search",
        "description": "Looks around.",
        "authors": ("A. Author",),
        "command": "llmopt-bench run --task t --agents a",
        "code": "",
        "trained_on": (),
        "training_compilations": 0,
        "hardware": "2 cores",
        "seeds": (0,),
        "licence": "MIT",
    }
    return Card(**(values | changes))


def made_run(agent: str, results: Mapping[str, int], task: Task = TASK, **changes: Any) -> EntryRun:
    """Return a run whose programs have ``OZ`` instructions under -Oz and ``results`` at its end."""
    records = tuple(
        run_record(agent, program, new, task, **changes) for program, new in results.items()
    )
    return EntryRun(records[0].budget, records)


def run_record(agent: str, program: str, new: int, task: Task = TASK, **changes: Any) -> Record:
    """Return a record of ``task``, of an agent that spends nothing unless ``changes`` say so."""
    facts = {
        "task": task.name,
        "task_sha256": task.sha256,
        "agent": agent,
        "action_set_sha256": make_action_set(task.action_set).sha256,
        "metric": task.metric,
        "initial": 2 * OZ,
        "oz": OZ,
        "new": new,
        "budget": 0,
        "additional_compilations": 0,
        "passes_applied": 0,
    }
    return made_record(program, "globaldce", **(facts | changes))


def made_entry(agent: str, results: Mapping[str, int], task: Task = TASK, **changes: Any) -> Entry:
    """Return an entry of one run."""
    return Entry(made_card(agent), (made_run(agent, results, task, **changes),))


def write_board(root: Path, *entries: Entry, task: Task = TASK) -> Path:
    """Write a task with entries into a folder of leaderboards, and return its folder there."""
    folder = root / task.name
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {json.dumps(getattr(task, key))}" for key in ("name", "metric", "budget")]
    (folder / TASK_FILE).write_text("\n".join([*lines, f"programs = {list(task.programs)}"]))
    facts = [
        ProgramFacts(uri=uri, program_sha256="1" * 64, initial=2 * OZ, oz=OZ)
        for uri in task.programs
    ]
    (folder / PROGRAMS).write_bytes(programs_file(facts))
    for entry in entries:
        write_entry(folder, entry)
    return folder


def write_entry(folder: Path, entry: Entry) -> None:
    """Write an entry into the folder of its task."""
    own = folder / entry.card.folder
    own.mkdir()
    (own / CARD).write_text(entry.card.to_toml(), "utf-8")
    lines = (record.to_json() + "\n" for record in entry.records)
    (own / RECORDS).write_bytes(zipped("".join(lines).encode()))
