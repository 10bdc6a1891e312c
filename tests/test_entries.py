"""Entries as they are read: complete, of one agent and one task, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_entries import made_card
from submitting import (
    CARD_OF_A,
    MADE,
    made,
    made_board,
    made_runs,
    task_text,
    write_entry,
)

from llmopt_bench import Record, make_task, read_records
from llmopt_bench.board_programs import PROGRAMS, read_programs
from llmopt_bench.card import Card
from llmopt_bench.entries import (
    Entry,
    entry_folders,
    read_entries,
    read_entry,
    task_folders,
    task_of,
)
from llmopt_bench.errors import BadEntry


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return made_board(tmp_path / "leaderboards")


def read(board: Path, folder: Path) -> Entry:
    return read_entry(folder, MADE, read_programs(board / PROGRAMS, MADE))


def refused(board: Path, records: list[Record | str], card: Card | str = CARD_OF_A) -> str:
    """Return why an entry of these records is refused."""
    folder = write_entry(board, card, records)
    with pytest.raises(BadEntry) as caught:
        read(board, folder)
    message = str(caught.value)
    assert len(message) < 1000
    assert "a-1" in message  # says which entry
    return message


def test_an_entry_has_a_run_for_each_budget(board: Path) -> None:
    records = made_runs((100, 0, 10), additional_compilations=0)
    folder = write_entry(board, CARD_OF_A, reversed(records))
    entry = read(board, folder)
    assert entry.card == CARD_OF_A
    assert [run.budget for run in entry.runs] == [0, 10, 100]
    assert [len(run.records) for run in entry.runs] == [6, 6, 6]
    assert sorted(r.key for r in entry.records) == sorted(r.key for r in records)
    assert read_entries(board, MADE) == [entry]


def test_the_most_compilations_of_a_run_are_those_of_one_record(board: Path) -> None:
    records = made_runs((100,))
    records[3] = replace(records[3], additional_compilations=40, passes_applied=9)
    (run,) = read(board, write_entry(board, CARD_OF_A, records)).runs
    assert run.most == 40


def test_every_seed_of_the_card_is_needed(board: Path) -> None:
    card = made_card("a", seeds=(0, 7))
    message = refused(board, made_runs(), card)
    assert "expected 12 records at budget 0" in message
    assert "missing are 'p/a', seed 7, repetition 0, and 5 more" in message


def test_with_every_seed_it_is_complete(board: Path) -> None:
    card = made_card("a", seeds=(0, 7))
    folder = write_entry(board, card, made_runs() + made_runs(seed=7))
    assert len(read(board, folder).runs[0].records) == 12


def test_every_run_is_complete(board: Path) -> None:
    message = refused(board, [*made_runs((0,)), *made_runs((10,))[:-1]])
    assert "expected 6 records at budget 10" in message
    assert "'p/c', seed 0, repetition 1, and 0 more" in message


def test_no_records(board: Path) -> None:
    assert "expected records, found none" in refused(board, [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"task": "made-v2"}, "task: expected 'made-v1', got 'made-v2'"),
        ({"task_sha256": "0" * 64}, "task_sha256: expected"),
        ({"action_set": "passes-v2"}, "action_set: expected 'passes-v1'"),
        ({"action_set_sha256": "0" * 64}, "action_set_sha256: expected"),
        ({"metric": "text_size"}, "metric: expected 'instruction_count'"),
        ({"agent": "b"}, "agent: expected 'a'"),
        ({"agent_version": "2"}, "agent_version: expected '1'"),
        ({"seed": 1}, "seed: expected one of the card, got 1"),
        ({"repetition": 2}, "repetition: expected one of 2, from 0, got 2"),
        ({"trained_on": ("x",)}, r"trained_on: expected only what the card names, got ['x']"),
        ({"agent_settings": {"n": 2}}, "agent_settings: expected the same on all programs"),
        ({"passes_applied": 3}, "additional_compilations: expected 1 or more, since 3 passes"),
        ({"pass_list": "opt -passes=dce"}, "pass_list: expected names of actions alone, 'dce'"),
        (
            {"status": "failed", "new": None, "module_sha256": None, "error": "e", "pass_list": ""},
            "status: expected 'ok', got 'failed'",
        ),
    ],
)
def test_a_record_that_does_not_belong(board: Path, changes: dict[str, Any], problem: str) -> None:
    *others, last = made_runs()
    message = refused(board, [*others, replace(last, **changes)])
    assert problem in message
    assert "'p/c', budget 0, seed" in message  # says which record


def test_what_the_card_says_is_learnt_from_may_be_in_records(board: Path) -> None:
    card = made_card("a", trained_on=("x", "y"))
    records = made_runs(trained_on=("x",))
    assert read(board, write_entry(board, card, records)).runs[0].records[0].trained_on == ("x",)


def test_settings_may_differ_between_budgets(board: Path) -> None:
    records = made_runs((0,)) + made_runs((10,), agent_settings={"n": 2})
    assert len(read(board, write_entry(board, CARD_OF_A, records)).runs) == 2


def test_the_folder_has_the_name_of_the_card(board: Path) -> None:
    folder = write_entry(board, CARD_OF_A, made_runs(), "a-2")
    with pytest.raises(BadEntry, match="expected the folder 'a-1', as its card says, got 'a-2'"):
        read(board, folder)


def test_files_and_hidden_folders_beside_entries_are_passed_over(board: Path) -> None:
    write_entry(board, CARD_OF_A, made_runs())
    (board / "README.md").write_text("a page")
    (board / ".draft").mkdir()
    assert [entry.card for entry in read_entries(board, MADE)] == [CARD_OF_A]
    assert [folder.name for folder in entry_folders(board)] == ["a-1"]


def test_task_folders_are_those_that_list_programs(board: Path) -> None:
    (board.parent / "other").mkdir()
    (board.parent / "README.md").write_text("a page")
    assert task_folders(board.parent) == [board]
    with pytest.raises(BadEntry, match="cannot read the folder"):
        task_folders(board.parent / "none")


def test_a_board_has_records_and_no_others(board: Path) -> None:
    """What scores folders of records also scores a board."""
    write_entry(board, CARD_OF_A, made_runs())
    assert sorted(r.key for r in read_records(board)) == sorted(r.key for r in made_runs())


class TestTaskOf:
    def test_a_task_of_its_own(self, board: Path) -> None:
        assert task_of(board) == MADE

    def test_a_shipped_task(self, tmp_path: Path) -> None:
        folder = tmp_path / "functions-v1"
        folder.mkdir()
        assert task_of(folder) == make_task("functions-v1")
        (folder / "task.toml").write_text(task_text(MADE))
        with pytest.raises(BadEntry, match="functions-v1 is a task of the library"):
            task_of(folder)

    def test_no_task(self, tmp_path: Path) -> None:
        with pytest.raises(BadEntry, match="expected the name of a task"):
            task_of(tmp_path)

    def test_the_task_of_another_folder(self, board: Path) -> None:
        (board / "task.toml").write_text(task_text(replace(MADE, name="made-v2")))
        with pytest.raises(BadEntry, match=r"expected the task 'made-v1', .* got 'made-v2'"):
            task_of(board)

    def test_a_link(self, board: Path, tmp_path: Path) -> None:
        target = (board / "task.toml").rename(tmp_path / "task.toml")
        (board / "task.toml").symlink_to(target)
        with pytest.raises(BadEntry, match="a link"):
            task_of(board)

    def test_no_toml(self, board: Path) -> None:
        (board / "task.toml").write_text("name =")
        with pytest.raises(BadEntry, match=r"task\.toml: Invalid value"):
            task_of(board)


def test_reading_needs_neither_llvm_nor_torch() -> None:
    code = "import sys, llmopt_bench.entries; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "llmopt_bench.entries" in loaded
    assert loaded.isdisjoint({"llmopt_bench._core", "llmopt_bench.session", "torch"})


def test_a_record_of_an_older_schema_is_fine(board: Path) -> None:
    records = [replace(record, schema=1, curve=()) for record in made_runs()]
    assert made().schema == 2
    assert {r.schema for r in read(board, write_entry(board, CARD_OF_A, records)).records} == {1}
