"""The leaderboards of this repository: their pages are what the records say, and records hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmopt_bench import agent_names, make_dataset, task_names
from llmopt_bench.board import Board
from llmopt_bench.board_folder import differing_pages, read_boards
from llmopt_bench.board_pages import pages
from llmopt_bench.datasets import load_program
from llmopt_bench.errors import NotBuilt
from llmopt_bench.record import Record
from llmopt_bench.verify import verify_records

LEADERBOARDS = Path(__file__).resolve().parents[1] / "leaderboards"
EVERY = 397
"""Of so many records one is replayed; a prime, so that it is another program for each agent."""


@pytest.fixture(scope="module")
def boards() -> list[Board]:
    return list(read_boards(LEADERBOARDS))


def replayable(boards: list[Board]) -> list[Record]:
    """Return the records of boards whose programs are on this machine."""
    found = []
    for board in boards:
        try:
            load_program(board.programs[0])
        except NotBuilt:
            continue  # the corpus has not been built here
        found += [record for entry in board.entries for record in entry.records]
    return found


def test_pages_are_what_the_records_say(boards: list[Board]) -> None:
    assert differing_pages(LEADERBOARDS, pages(boards)) == {}


def test_boards_have_the_programs_of_their_task(boards: list[Board]) -> None:
    names = {board.task.name for board in boards}
    assert names == set(task_names())
    for board in boards:
        if (board.task.dataset or "").startswith("bundled"):
            assert list(board.programs) == sorted(make_dataset(board.task.dataset).uris())


def test_our_agents_are_there(boards: list[Board]) -> None:
    ours = set(agent_names()) - {"llm-api"}  # has no model of its own
    for board in boards:
        there = {entry.card.agent for entry in board.entries}
        assert there == ours, board.task.name


def test_some_records_hold(boards: list[Board]) -> None:
    some = replayable(boards)[::EVERY]
    assert len(some) > 30
    assert verify_records(some, jobs=2) == []


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_all_records_hold(boards: list[Board]) -> None:
    assert verify_records(replayable(boards), jobs=2) == []
