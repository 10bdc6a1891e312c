"""How this repository's own agents come to the leaderboards."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from made_entries import run_record

from llmopt_bench import read_records
from llmopt_bench.card import read_card
from llmopt_bench.errors import BadCard

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "results.py"
CARDS = """
[all]
authors = ["A. Author"]
code = ""
hardware = "2 cores"
licence = "MIT"

[x]
kind = "search"
description = "Looks around."

[learnt]
kind = "learned"
description = "Has looked around."
training_compilations = 9
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CARDS", tmp_path / "cards.toml")
    monkeypatch.setattr(module, "LEADERBOARDS", tmp_path / "boards")
    (tmp_path / "cards.toml").write_text(CARDS)
    return module


def write(path: Path, *agents: str) -> Path:
    records = [run_record(agent, program, 900) for agent in agents for program in "ab"]
    path.write_text("".join(f"{record.to_json()}\n" for record in records))
    return path


def test_each_agent_is_submitted_with_its_card_and_its_records(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: dict[str, Any] = {}

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "llmopt_bench", "submit"]
        card = read_card(Path(command[command.index("--card") + 1]))
        programs = [record.program for record in read_records(command[4])]
        agents = {record.agent for record in read_records(command[4])}
        submitted[card.agent] = (card.kind, agents, programs, command[-2:])
        return subprocess.CompletedProcess(command, int(card.agent == "learnt"))

    monkeypatch.setattr(script.subprocess, "run", run)
    path = write(tmp_path / "records.jsonl", "x", "learnt")
    assert script.main(["submit", str(path)]) == 1
    to = ["--to", str(tmp_path / "boards")]
    assert submitted == {
        "x": ("search", {"x"}, ["a", "b"], to),
        "learnt": ("learned", {"learnt"}, ["a", "b"], to),
    }


def entry_of_x(folder: Path) -> Path:
    """Return an entry of the agent ``x``, with records of the programs a and b."""
    record = run_record("x", "a", 900)
    entry = folder / "boards" / record.task / f"x-{record.agent_version}"
    entry.mkdir(parents=True)
    write(entry / "records.jsonl", "x")
    return entry


def test_an_entry_is_made_anew_of_its_records_and_the_new_ones(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, new = entry_of_x(tmp_path), tmp_path / "new.jsonl"
    records = [run_record("x", "b", 800), run_record("x", "c", 700)]
    new.write_text("".join(f"{record.to_json()}\n" for record in records))

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        assert not entry.exists()
        entry.mkdir()
        (entry / "records.jsonl").write_bytes(Path(command[4]).read_bytes())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(script.subprocess, "run", run)
    assert script.main(["submit", str(new)]) == 0
    counts = {record.program: record.new for record in read_records(entry)}
    assert counts == {"a": 900, "b": 800, "c": 700}
    assert list(entry.parent.iterdir()) == [entry]


def test_an_entry_stays_where_the_new_one_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_of_x(tmp_path)
    before = (entry / "records.jsonl").read_bytes()
    monkeypatch.setattr(
        script.subprocess, "run", lambda command: subprocess.CompletedProcess(command, 1)
    )
    new = write(tmp_path / "new.jsonl", "x")
    assert script.main(["submit", str(new)]) == 1
    assert (entry / "records.jsonl").read_bytes() == before
    assert list(entry.parent.iterdir()) == [entry]


def test_nothing_is_submitted_while_a_card_lacks_something(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(script.subprocess, "run", lambda _: pytest.fail("submitted"))
    path = write(tmp_path / "records.jsonl", "x", "other")
    assert script.main(["submit", str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: [other] or [all] of cards.toml: kind: ")


def test_a_card_says_what_the_records_say(script: ModuleType) -> None:
    table = {"all": {"authors": ["A"], "hardware": "h", "licence": "MIT"}, "y": {"kind": "learned"}}
    records = [run_record("y", "a", 900, trained_on=("some-v1",), seed=seed) for seed in (3, 1)]
    with pytest.raises(BadCard, match="description"):
        script.card_of(records, table)
    table["y"] |= {"description": "d", "training_compilations": 5}
    card = script.card_of(records, table)
    assert (card.trained_on, card.seeds, card.version) == (("some-v1",), (1, 3), "1")
    assert "--agents y" in card.command
