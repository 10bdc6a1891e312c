"""Leaderboards on the disk, for tests of what is submitted to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from made_entries import made_card, run_record

from llmopt_bench import Record, Task, load_agent, make_action_set
from llmopt_bench.board_programs import PROGRAMS, ProgramFacts, programs_file, zipped
from llmopt_bench.card import Card
from llmopt_bench.entries import CARD, RECORDS
from llmopt_bench.runner_work import Item, Job, perform

MADE = Task(
    name="made-v1",
    metric="instruction_count",
    budget=10,
    programs=("p/a", "p/b", "p/c"),
    repetitions=2,
)
"""A task whose programs nobody can load: what is checked about it needs no compiler."""


def task_text(task: Task) -> str:
    """Return the file of a task that lists its programs."""
    values = {"name": task.name, "metric": task.metric, "programs": list(task.programs)}
    counts = {"budget": task.budget, "repetitions": task.repetitions}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**values, **counts}.items())


def write_board(root: Path, task: Task, facts: Iterable[ProgramFacts]) -> Path:
    """Open the board of a task below ``root``; return its folder."""
    board = root / task.name
    board.mkdir(parents=True)
    (board / "task.toml").write_text(task_text(task), "utf-8")
    (board / PROGRAMS).write_bytes(programs_file(facts))
    return board


def write_entry(
    board: Path, card: Card | str, records: Iterable[Record | str], name: str = "a-1"
) -> Path:
    """Write an entry, of texts where there is no value that could be written."""
    folder = board / name
    folder.mkdir()
    text = card.to_toml() if isinstance(card, Card) else card
    (folder / CARD).write_text(text, "utf-8")
    lines = (record.to_json() if isinstance(record, Record) else record for record in records)
    (folder / RECORDS).write_bytes(zipped("".join(f"{line}\n" for line in lines).encode()))
    return folder


def made_facts() -> list[ProgramFacts]:
    """Return the facts that ``made_records`` agree with."""
    return [
        ProgramFacts(uri=uri, program_sha256="1" * 64, initial=20, oz=10) for uri in MADE.programs
    ]


def made(**changes: Any) -> Record:
    """Return a record of agent ``a`` 1 on a program of ``MADE``."""
    values = {"program": "p/a", "new": 7, "initial": 20, "oz": 10, "schema": 2}
    actions = {"action_set_sha256": make_action_set().sha256}
    values |= actions | changes
    return run_record("a", values.pop("program"), values.pop("new"), MADE, **values)


def made_runs(budgets: Iterable[int] = (0,), **changes: Any) -> list[Record]:
    """Return the records of a complete entry."""
    return [
        made(program=program, budget=budget, repetition=repetition, **changes)
        for budget in budgets
        for program in MADE.programs
        for repetition in range(MADE.repetitions)
    ]


def made_board(root: Path) -> Path:
    """Open the board of ``MADE``."""
    return write_board(root, MADE, made_facts())


CARD_OF_A = made_card("a")

SMALL = Task(
    name="small-v1",
    metric="instruction_count",
    budget=4,
    programs=(
        "bundled-functions-v1/aes128_modes/xtime",
        "bundled-functions-v1/aes128_modes/xor_block",
        "bundled-v1/crc_family",
    ),
)
"""A task that takes milliseconds, with a program that can be run."""


def real_records(agent: str = "random", budget: int = SMALL.budget) -> list[Record]:
    """Run an agent on the programs of ``SMALL``."""
    job = Job(SMALL, (load_agent(agent),), budget, seed=0, isolation=None)
    return [perform(job, Item(0, uri, 0), job.facts(uri)) for uri in SMALL.programs]


def real_board(root: Path, records: Iterable[Record]) -> Path:
    """Open the board of ``SMALL``, with the facts that honest records state."""
    names = ("program_sha256", "initial", "oz")
    facts = (
        ProgramFacts(uri=r.program, **{name: getattr(r, name) for name in names}) for r in records
    )
    return write_board(root, SMALL, facts)


FILLED = {
    'kind = ""': 'kind = "search"',
    'description = ""': 'description = "Tries lists."',
    "authors = []": 'authors = ["A. Author"]',
    'hardware = ""': 'hardware = "2 cores"',
    'licence = ""': 'licence = "MIT"',
}


def fill_in(card: Path) -> None:
    """Do what a person does with the template."""
    text = card.read_text("utf-8")
    for empty, filled in FILLED.items():
        assert empty in text
        text = text.replace(empty, filled)
    card.write_text(text, "utf-8")


def everything_below(folder: Path) -> dict[str, bytes]:
    """Return the content of every file by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def honest() -> list[Record]:
    """Return records of a real run."""
    return real_records()


@pytest.fixture
def board(tmp_path: Path, honest: list[Record]) -> Path:
    """Return a folder of leaderboards with them."""
    return real_board(tmp_path / "leaderboards", honest)
