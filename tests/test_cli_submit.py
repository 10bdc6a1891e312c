"""``submit`` and ``open-board``: from a run, or from nothing, to a ranked row."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_entries import made_card
from submitting import (
    SMALL,
    everything_below,
    fill_in,
    real_board,
    real_records,
    task_text,
    write_entry,
)

from llmopt_bench import Record, read_records
from llmopt_bench.board import make_board
from llmopt_bench.board_programs import PROGRAMS
from llmopt_bench.cli import main
from llmopt_bench.entries import read_entries
from llmopt_bench.plain_file import write_folder

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def honest() -> list[Record]:
    return real_records()


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("small.toml").write_text(task_text(SMALL), "utf-8")

    @staticmethod
    def run(*arguments: str, code: int = 0) -> None:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        assert end.value.code == code

    def test_from_a_run_to_an_entry(self, capsys: pytest.CaptureFixture[str]) -> None:
        quick = ("--in-process", "--jobs", "1")
        self.run("open-board", "small.toml", *quick)
        run = ("run", "--task", "small.toml", "--agents", "random,Oz", *quick)
        self.run(*run, "--budget", "4", "--out", "r4")
        self.run(*run, "--budget", "2", "--out", "r2")
        capsys.readouterr()

        self.run("submit", "r4", *quick, code=2)
        assert "got Oz, random. Name one." in capsys.readouterr().err
        self.run("submit", "r4", "--agent", "greedy", *quick, code=2)
        assert "expected one of Oz, random, got 'greedy'" in capsys.readouterr().err

        self.run("submit", "r4", "--agent", "random", *quick, code=1)
        assert "card-random.toml: there was no card" in capsys.readouterr().err
        self.run("submit", "r4", "--agent", "random", *quick, code=1)
        assert "card-random.toml: kind: expected one of" in capsys.readouterr().err
        fill_in(Path("r4/card-random.toml"))
        self.run("submit", "r4", "--agent", "random", *quick)
        assert capsys.readouterr().out == "leaderboards/small-v1/random-1\n"

        self.run("submit", "r4", "--agent", "random", *quick, code=1)
        assert "there is an entry of this name" in capsys.readouterr().err
        self.run("submit", "r2", "--agent", "random", "--add", *quick)
        self.run("verify", "leaderboards", *quick)
        assert capsys.readouterr().out.endswith("6 of 6 records of 1 entry hold\n")

    def test_several_runs_and_a_card_from_elsewhere(self, honest: list[Record]) -> None:
        real_board(Path("leaderboards"), honest)
        for seed in (0, 5):
            Path(f"r{seed}").mkdir()
            lines = (replace(record, seed=seed).to_json() + "\n" for record in honest)
            Path(f"r{seed}/records.jsonl").write_text("".join(lines), "utf-8")
        Path("mine.toml").write_text(made_card("random", seeds=(0, 5)).to_toml(), "utf-8")
        self.run("submit", "r0", "r5", "--card", "mine.toml", "--in-process", "--jobs", "1")
        assert len(list(read_records("leaderboards/small-v1/random-1"))) == 6

    def test_a_record_that_lies(
        self, honest: list[Record], capsys: pytest.CaptureFixture[str]
    ) -> None:
        real_board(Path("leaderboards"), honest)
        first, *others = honest
        Path("r").mkdir()
        lines = (record.to_json() + "\n" for record in [replace(first, new=1), *others])
        Path("r/records.jsonl").write_text("".join(lines), "utf-8")
        Path("r/card.toml").write_text(made_card("random").to_toml(), "utf-8")
        self.run("submit", "r", "--in-process", "--jobs", "1", code=1)
        assert "1 of 3 records do not hold" in capsys.readouterr().err
        assert sorted(everything_below(Path("leaderboards/small-v1"))) == [PROGRAMS, "task.toml"]


def test_an_agent_of_a_third_party_is_installed_run_submitted_and_ranked(tmp_path: Path) -> None:
    """As its authors would do it: with pip and the command line, and nothing changed here."""
    site, boards = tmp_path / "site", tmp_path / "leaderboards"
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    source = tmp_path / "plugin"  # setuptools leaves a folder beside what it builds
    write_folder(source, {path.name: path.read_bytes() for path in PLUGIN.glob("*.*")})
    environment = {**os.environ, "PYTHONPATH": str(site), "PIP_ROOT_USER_ACTION": "ignore"}

    def call(*command: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    call("pip", "install", *offline, "--target", str(site), str(source))
    (tmp_path / "small.toml").write_text(task_text(SMALL), "utf-8")
    call("llmopt_bench", "open-board", "small.toml", "--jobs", "1")
    call("llmopt_bench", "run", "--task", "small.toml", "--agents", "first-n", "--out", "run")
    call("llmopt_bench", "submit", "run", code=1)
    fill_in(tmp_path / "run" / "card.toml")
    assert call("llmopt_bench", "submit", "run").strip().endswith("small-v1/first-n-3.2.1")

    rival = [replace(r, agent="rival", new=r.initial) for r in real_records("O0", 0)]
    write_entry(boards / "small-v1", made_card("rival"), rival, "rival-1")
    board = make_board(SMALL, read_entries(boards / "small-v1", SMALL))
    free = board.tracks[0]
    assert [(s.card.agent, s.rank) for s in free.standings] == [("first-n", 1), ("rival", 2)]
