"""Submissions: what a finished run becomes on a leaderboard, and what is left if it may not."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_entries import made_card
from submitting import SMALL, board, everything_below, honest

from llmopt_bench import Record, read_records
from llmopt_bench.board_programs import PROGRAMS, read_programs
from llmopt_bench.entries import CARD, RECORDS, read_entries, read_entry
from llmopt_bench.errors import BadEntry
from llmopt_bench.plain_file import write_folder
from llmopt_bench.submit import submit
from llmopt_bench.verify import Finding

__all__ = ["board", "honest"]


class TestSubmit:
    def test_the_entry_can_be_read(self, board: Path, honest: list[Record]) -> None:
        asked: list[Record] = []

        def replay(records: list[Record]) -> list[Finding]:
            asked.extend(records)
            return []

        folder = submit(reversed(honest), made_card("random"), board.parent, replay)
        entry = read_entry(folder, SMALL, read_programs(board / PROGRAMS, SMALL))
        assert folder == board / "random-1"
        assert entry.card == made_card("random")
        assert sorted(entry.records, key=lambda r: r.key) == sorted(honest, key=lambda r: r.key)
        assert asked == list(entry.records)  # every one of them is replayed

    def test_the_same_records_are_the_same_bytes(self, board: Path, honest: list[Record]) -> None:
        files = []
        for records in (honest, honest[::-1]):
            folder = submit(records, made_card("random"), board.parent, lambda records: [])
            files.append(everything_below(folder))
            folder.rename(folder.with_name(".moved" + str(len(files))))
        assert files[0] == files[1]

    def test_records_of_others_are_left_out(self, board: Path, honest: list[Record]) -> None:
        others = [replace(r, agent="other") for r in honest]
        newer = [replace(r, agent_version="2") for r in honest]
        folder = submit([*others, *honest, *newer], made_card("random"), board.parent, _no_finding)
        assert len(list(read_records(folder / RECORDS))) == 3

    def test_what_does_not_hold_leaves_nothing(self, board: Path, honest: list[Record]) -> None:
        before = everything_below(board)

        def replay(records: list[Record]) -> list[Finding]:
            return [Finding(records[1], "new: it lies"), Finding(records[1], "oz: it lies")]

        with pytest.raises(BadEntry, match=r"1 of 3 records do not hold; the first: .*it lies"):
            submit(honest, made_card("random"), board.parent, replay)
        assert everything_below(board) == before
        assert not (board / "random-1").exists()

    def test_what_breaks_a_rule_is_not_even_replayed(
        self, board: Path, honest: list[Record]
    ) -> None:
        with pytest.raises(BadEntry, match="expected 3 records at budget 4"):
            submit(honest[:2], made_card("random"), board.parent, _no_replay)

    def test_an_entry_of_this_name(self, board: Path, honest: list[Record]) -> None:
        (board / "random-1").mkdir()
        with pytest.raises(BadEntry, match="there is an entry of this name"):
            submit(honest, made_card("random"), board.parent, _no_replay)

    def test_a_link_of_this_name(self, board: Path, honest: list[Record], tmp_path: Path) -> None:
        (board / "random-1").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BadEntry, match="there is an entry of this name"):
            submit(honest, made_card("random"), board.parent, _no_replay)
        assert not (tmp_path / "elsewhere").exists()

    @pytest.mark.parametrize("task", ["other-v1", "../small-v1", "..", "/", "a\0b"])
    def test_a_task_without_a_board(self, board: Path, honest: list[Record], task: str) -> None:
        records = [replace(record, task=task) for record in honest]
        with pytest.raises(BadEntry, match=r"there is no board of the task .* Open: small-v1"):
            submit(records, made_card("random"), board.parent, _no_replay)

    def test_no_leaderboards(self, honest: list[Record], tmp_path: Path) -> None:
        with pytest.raises(BadEntry, match="cannot read the folder"):
            submit(honest, made_card("random"), tmp_path / "none", _no_replay)

    def test_no_records_of_the_card(self, board: Path, honest: list[Record]) -> None:
        with pytest.raises(BadEntry, match="expected records of other 1, found none"):
            submit(honest, made_card("other"), board.parent, _no_replay)


class TestAdd:
    @pytest.fixture
    def folder(self, board: Path, honest: list[Record]) -> Path:
        return submit(honest, made_card("random"), board.parent, _no_finding)

    def test_runs_at_further_budgets(self, board: Path, folder: Path, honest: list[Record]) -> None:
        further = [replace(record, budget=9) for record in honest]
        asked: list[Record] = []

        def replay(records: list[Record]) -> list[Finding]:
            asked.extend(records)
            return []

        assert submit(further, made_card("random"), board.parent, replay, add=True) == folder
        (entry,) = read_entries(board, SMALL)
        assert [run.budget for run in entry.runs] == [4, 9]
        assert {record.budget for record in asked} == {9}
        assert set(everything_below(folder)) == {CARD, RECORDS}

    def test_not_at_the_same_budget(self, board: Path, folder: Path, honest: list[Record]) -> None:
        before = everything_below(board)
        with pytest.raises(BadEntry, match="budgets that are not there yet, got 4 again"):
            submit(honest, made_card("random"), board.parent, _no_replay, add=True)
        assert everything_below(board) == before

    def test_not_with_another_card(self, board: Path, folder: Path, honest: list[Record]) -> None:
        further = [replace(record, budget=9) for record in honest]
        card = made_card("random", licence="other", hardware="other")
        with pytest.raises(BadEntry, match="got another hardware, licence"):
            submit(further, card, board.parent, _no_replay, add=True)

    def test_not_to_nothing(self, board: Path, honest: list[Record]) -> None:
        with pytest.raises(BadEntry, match="there is no entry to add to"):
            submit(honest, made_card("random"), board.parent, _no_replay, add=True)

    def test_not_to_what_is_damaged(self, board: Path, folder: Path, honest: list[Record]) -> None:
        (folder / RECORDS).write_bytes(b"")
        with pytest.raises(BadEntry, match="expected records, found none"):
            submit(honest, made_card("random"), board.parent, _no_replay, add=True)


def test_a_folder_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="full"):
            write_folder(tmp_path / "new", {"a": b"1"})
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "new", {"a": b"1"})
    with pytest.raises(OSError, match="not empty"):
        write_folder(tmp_path / "new", {"a": b"2"})
    assert everything_below(tmp_path) == {"new/a": b"1"}


def _no_finding(records: object) -> list[Finding]:
    return []


def _no_replay(records: object) -> list[Finding]:
    raise AssertionError("there was nothing to replay")


def test_what_is_written_is_small_and_has_no_time(board: Path, honest: list[Record]) -> None:
    folder = submit(honest, made_card("random"), board.parent, _no_finding)
    data = (folder / RECORDS).read_bytes()
    assert data[3:8] == bytes(5)
    lines = gzip.decompress(data).decode().splitlines()
    assert [json.loads(line)["program"] for line in lines] == sorted(SMALL.programs)
