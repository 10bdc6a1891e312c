"""A board is opened: the list of programs that its entries are held against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from submitting import SMALL, everything_below, real_board, real_records, task_text

from llmopt_bench import Record
from llmopt_bench.board_programs import PROGRAMS
from llmopt_bench.errors import BadEntry
from llmopt_bench.open_board import open_board


@pytest.fixture(scope="module")
def honest() -> list[Record]:
    return real_records()


class TestOpenBoard:
    @pytest.fixture
    def task(self, tmp_path: Path) -> Path:
        path = tmp_path / "small.toml"
        path.write_text(task_text(SMALL), "utf-8")
        return path

    def test_it_lists_what_records_state(
        self, task: Path, tmp_path: Path, honest: list[Record]
    ) -> None:
        boards = tmp_path / "leaderboards"
        heard: list[tuple[int, int, str]] = []
        path = open_board(
            str(task), boards, isolation=None, progress=lambda *told: heard.append(told)
        )
        assert path == boards / "small-v1" / PROGRAMS
        assert everything_below(boards) == everything_below(
            real_board(tmp_path / "expected", honest).parent
        )
        assert heard[-1] == (3, 3, SMALL.programs[-1])

    def test_twice_is_fine_and_another_task_is_not(self, task: Path, tmp_path: Path) -> None:
        boards = tmp_path / "leaderboards"
        open_board(str(task), boards, isolation=None)
        before = everything_below(boards)
        open_board(str(task), boards, isolation=None)
        assert everything_below(boards) == before
        task.write_text(task_text(replace(SMALL, budget=5)), "utf-8")
        with pytest.raises(BadEntry, match="the board is open"):
            open_board(str(task), boards, isolation=None)
        assert everything_below(boards) == before
