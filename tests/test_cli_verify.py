"""``llmopt-bench verify``: runs, entries, boards; in several processes; until Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_entries import made_card
from submitting import SMALL, real_board, real_records, write_entry

import llmopt_bench.verify
from llmopt_bench import Record
from llmopt_bench.board_programs import PROGRAMS, programs_file, read_programs
from llmopt_bench.cli import main
from llmopt_bench.entries import RECORDS
from llmopt_bench.verify import verify_records

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from process_tree import descendants, is_gone


class Verify:
    """Runs the command in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(["verify", "--in-process", "--jobs", "1", *map(str, arguments)])
        out, err = self._capture.readouterr()
        assert (end.value.code, err) == (code, "")
        return out


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    return Verify(capsys)


@pytest.fixture(scope="module")
def honest() -> list[Record]:
    return real_records()


@pytest.fixture
def board(tmp_path: Path, honest: list[Record]) -> Path:
    board = real_board(tmp_path / "leaderboards", honest)
    write_entry(board, made_card("random"), honest, "random-1")
    return board


def add_oz(board: Path, **changes: Any) -> Path:
    """Add an entry whose first record says something else."""
    first, *others = real_records("Oz", 0)
    return write_entry(board, made_card("Oz"), [replace(first, **changes), *others], "Oz-1")


def test_an_entry_a_task_and_all_leaderboards(
    board: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (board / "random-1", board, board.parent):
        assert verify(path) == "3 of 3 records of 1 entry hold\n"
    add_oz(board)
    assert verify(board.parent) == "6 of 6 records of 2 entries hold\n"
    monkeypatch.chdir(board / "random-1")
    assert verify(".") == "3 of 3 records of 1 entry hold\n"
    assert verify(RECORDS) == "3 of 3 records hold\n"


def test_a_record_that_lies(board: Path, verify: Verify) -> None:
    folder = add_oz(board, new=1)
    lines = verify(board, code=1).splitlines()
    assert lines[0].startswith(f"Oz on {SMALL.programs[0]}, seed 0, repetition 0: new: the record")
    assert lines[1:] == ["5 of 6 records of 2 entries hold"]
    document = json.loads(verify(folder, "--json", code=1))
    assert document["records"] == 3
    (problem,) = document["problems"]
    assert problem["agent"] == "Oz"
    assert problem["problem"].startswith("new: ")


def test_an_entry_that_breaks_a_rule_does_not_hide_the_others(board: Path, verify: Verify) -> None:
    folder = add_oz(board, oz=1)
    (problem, total) = verify(board, code=1).splitlines()
    assert problem.startswith(f"{folder}: ")
    assert "oz: expected" in problem
    assert total == "3 of 3 records of 2 entries hold"


def test_a_board_without_the_hard_programs(board: Path, verify: Verify) -> None:
    """The list of programs may come with a submission as well; the task says what is in it."""
    facts = list(read_programs(board / PROGRAMS, SMALL).values())
    (board / PROGRAMS).write_bytes(programs_file(facts[:2]))
    (problem, total) = verify(board, code=1).splitlines()
    assert f"{PROGRAMS}: expected the programs of small-v1, got others" in problem
    assert total == "0 of 0 records hold"


def test_a_shipped_task_without_the_hard_programs(
    tmp_path: Path, honest: list[Record], verify: Verify
) -> None:
    board = real_board(tmp_path, honest)
    (board / "task.toml").unlink()
    board = board.rename(tmp_path / "functions-v1")
    (problem, _) = verify(board, code=1).splitlines()
    assert "expected the programs of functions-v1, got others" in problem


def test_a_board_of_no_task(board: Path, verify: Verify) -> None:
    (board / "task.toml").unlink()
    (problem, _) = verify(board, code=1).splitlines()
    assert "expected the name of a task" in problem


def test_several_processes_find_the_same(honest: list[Record]) -> None:
    records = [*honest, *(replace(r, new=1, repetition=1) for r in honest)]
    heard: list[Record] = []
    one = verify_records(records, run_programs=False)
    two = verify_records(records, heard.append, run_programs=False, jobs=2)
    assert len(one) == 3
    assert two == one
    assert sorted(r.key for r in heard) == sorted(r.key for r in records)


def test_what_cannot_be_run_is_said_once(
    honest: list[Record], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By several processes: of one program for each of them to find out."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no clang
    monkeypatch.setenv("LLMOPT_CLANG", str(tmp_path / "none"))
    record = honest[-1]
    copies = [replace(record, repetition=n) for n in range(4)]
    monkeypatch.setattr(llmopt_bench.verify, "_GROUP", 2)
    said: list[str] = []
    assert verify_records(copies, jobs=2, warn=said.append) == []
    assert len(said) == 1
    assert "were not run, only replayed" in said[0]


def test_an_interrupt_ends_it_and_all_of_its_processes(
    honest: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    copies = (replace(r, repetition=n) for r in honest for n in range(3000))
    path.write_text("".join(f"{record.to_json()}\n" for record in copies), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "llmopt_bench", "verify", "--jobs", "2", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 60
    # Two that replay, with a server and a compiler each; and what Python has to track them.
    while len(below := descendants(process.pid)) < 6:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "error: interrupted; what was finished is kept\n"
    while not all(map(is_gone, below)):
        assert time.monotonic() < end
        time.sleep(0.02)
