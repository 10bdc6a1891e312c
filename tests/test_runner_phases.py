"""Agents with a second phase: what they are given, what it costs, and how it is resumed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gymnasium.utils.seeding import np_random

from llmopt_bench import Record, Task, load_agent, make_dataset, read_records
from llmopt_bench.agent import LoadedAgent
from llmopt_bench.errors import BadAgent, BadStore
from llmopt_bench.run_store import STORE
from llmopt_bench.runner import run
from llmopt_bench.runner_work import derived_seed

PLUGIN = Path(__file__).parent / "plugin"
PROGRAMS = tuple(list(make_dataset("bundled-functions-v1").uris())[:4])
BUDGET = 7
TASK = Task(name="two", metric="instruction_count", budget=BUDGET, programs=PROGRAMS)
AGENT = "broadcast_agents:TwoPhases"


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def records_of(out: Path, agents: Sequence[str | LoadedAgent], **options: Any) -> list[Record]:
    """Return the records of a run without what depends on time and order."""
    task = options.pop("task", TASK)
    result = run(task, agents, out=out, jobs=options.pop("jobs", 1), **options)
    return sorted((replace(r, wall_seconds=0) for r in result.records), key=lambda r: r.key)


def test_account_of_both_phases_is_one(tmp_path: Path) -> None:
    first = {r.program: r for r in records_of(tmp_path / "1", ["broadcast_agents:first_only"])}
    both = records_of(tmp_path / "2", [AGENT])
    answers = {record.pass_list for record in first.values()}
    for record in both:
        begun = first[record.program]
        tried = min(len(answers), BUDGET - 3)
        assert (begun.additional_compilations, record.additional_compilations) == (3, 3 + tried)
        assert record.passes_applied > begun.passes_applied
        assert record.curve[: len(begun.curve)] == begun.curve
        assert record.usage["first"] == 1
        assert record.usage["tried"] == len(answers)
        assert record.usage["calls"] == 2
        assert record.new <= begun.new  # type: ignore[operator]


def test_second_phase_has_randomness_of_its_own(tmp_path: Path) -> None:
    def draw(program: str, phase: str) -> int:
        return int(np_random(derived_seed(0, program, 0, phase))[0].integers(1000))

    records = records_of(tmp_path, [AGENT])
    drawn = [record.usage["draw"] for record in records]
    assert drawn == [draw(record.program, "\nbroadcast") for record in records]
    assert drawn != [draw(record.program, "") for record in records]


def test_lists_come_by_how_many_they_won_and_then_by_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    agent = load_agent("broadcast_agents:Shouts", log=str(log))
    task = replace(TASK, programs=tuple(make_dataset("bundled-functions-v1").uris())[:5])
    records = records_of(tmp_path / "out", [agent], task=task)
    count = Counter(record.pass_list for record in records)
    order = sorted(count, key=lambda text: (-count[text], text))
    assert order != sorted(order)
    lines = log.read_text("utf-8").splitlines()
    assert {line.partition("|")[2] for line in lines} == {" ".join(order)}
    assert sorted(line.partition("|")[0] for line in lines) == sorted(
        record.pass_list for record in records
    )


def test_records_do_not_depend_on_processes_or_on_who_else_runs(tmp_path: Path) -> None:
    task = replace(TASK, repetitions=2)
    one = records_of(tmp_path / "1", [AGENT, "Oz"], task=task)
    two = records_of(tmp_path / "2", ["Oz", AGENT], task=task, jobs=2)
    assert len(one) == 2 * 2 * len(PROGRAMS)
    assert one == two


def test_agents_without_a_second_phase_need_no_store(tmp_path: Path) -> None:
    records_of(tmp_path, ["Oz"], limit=1)
    assert not (tmp_path / STORE).exists()


def test_failed_first_phase_has_no_second(tmp_path: Path) -> None:
    agent = load_agent("broadcast_agents:OneFails", program=PROGRAMS[1])
    steps: list[tuple[int, int]] = []
    records = records_of(
        tmp_path, [agent], progress=lambda done, total, record: steps.append((done, total))
    )
    failed = [record for record in records if record.status != "ok"]
    assert [record.program for record in failed] == [PROGRAMS[1]]
    assert failed[0].additional_compilations == 0
    assert {r.usage["tried"] for r in records if r.status == "ok"} <= {1, 2, 3}
    assert steps[0] == (0, 8)
    assert steps[-1] == (8, 8)


def test_failed_second_phase_is_charged_for_both(tmp_path: Path) -> None:
    records = records_of(tmp_path, ["broadcast_agents:BadSecond"], limit=2)
    for record in records:
        assert record.error is not None
        assert "BadAgent" in record.error
        assert "got int" in record.error
        assert record.additional_compilations == 4


def test_process_that_dies_in_the_second_phase_fails_its_item(tmp_path: Path) -> None:
    (record,) = records_of(tmp_path, ["broadcast_agents:KilledInSecond"], limit=1)
    assert record.error is not None
    assert "killed by SIGKILL" in record.error
    assert record.additional_compilations == BUDGET


def test_broadcast_of_an_agent_without_one_is_refused() -> None:
    agent = load_agent("random")
    assert not agent.has_broadcast
    with pytest.raises(BadAgent, match="expected a method broadcast"):
        agent.broadcast(None, None, [])  # type: ignore[arg-type]


def write_task(folder: Path) -> Path:
    file = folder / "two.toml"
    uris = "".join(f'  "{uri}",\n' for uri in PROGRAMS)
    text = f'name = "two"\nmetric = "instruction_count"\nbudget = {BUDGET}\nprograms = [\n{uris}]\n'
    file.write_text(text, "utf-8")
    return file


def start(task: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "llmopt_bench", "run", "--task", str(task), "--out", str(out)]
    agent = ["--agents", AGENT, "--set", f"{AGENT}.pause=0.4", "--jobs", "1"]
    return subprocess.Popen(
        [*command, *agent, *more],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_broadcast_killed_in_the_middle_is_resumed_to_the_same_records(tmp_path: Path) -> None:
    out, task = tmp_path / "out", write_task(tmp_path)
    agent = load_agent(AGENT, pause=0.4)
    undisturbed = records_of(tmp_path / "whole", [agent], task=TASK)
    process = start(task, out)
    file, end = out / "records.jsonl", time.monotonic() + 60
    while not (file.exists() and file.read_bytes().count(b"\n")):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = list(read_records(file))
    assert 1 <= len(kept) < len(PROGRAMS)
    steps: list[tuple[int, int]] = []
    resumed = records_of(
        out,
        [agent],
        resume=True,
        progress=lambda done, total, record: steps.append((done, total)),
    )
    assert resumed == undisturbed
    assert steps[-1][1] == len(PROGRAMS) - len(kept)  # no first phase again
    # A second time there is nothing to do, and nothing changes.
    assert records_of(out, [agent], resume=True) == undisturbed


def test_resume_refuses_other_programs_than_the_broadcast_began_with(tmp_path: Path) -> None:
    records_of(tmp_path, [AGENT], limit=2)
    before = (tmp_path / "records.jsonl").read_bytes()
    message = "began with 2 programs, and this run has 3"
    with pytest.raises(BadStore, match=message):
        records_of(tmp_path, [AGENT], limit=3, resume=True)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_resume_misses_a_store_that_was_taken_away(tmp_path: Path) -> None:
    records_of(tmp_path, [AGENT], limit=2)
    (tmp_path / STORE).unlink()
    with pytest.raises(BadStore, match="lacks the first answer"):
        records_of(tmp_path, [AGENT], limit=2, resume=True)


def test_answers_of_first_phases_are_not_overwritten(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, record: Record | None) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records_of(tmp_path, [AGENT], progress=interrupt)
    assert list(read_records(tmp_path / "records.jsonl")) == []
    with pytest.raises(BadStore, match=r"holds a run\. Resume it"):
        records_of(tmp_path, [AGENT])
    steps: list[int] = []
    records_of(
        tmp_path, [AGENT], resume=True, progress=lambda done, total, record: steps.append(total)
    )
    assert steps[0] == 2 * len(PROGRAMS) - 1


def test_store_says_what_was_improved_and_when(tmp_path: Path) -> None:
    records_of(tmp_path, [AGENT], limit=1)
    connection = sqlite3.connect(tmp_path / STORE)
    query = "SELECT agent, program, repetition, compilations, value FROM improvement"
    rows = connection.execute(query).fetchall()
    (line,) = connection.execute("SELECT record FROM first").fetchone()
    connection.close()
    curve = json.loads(line)["curve"]
    assert rows == [(AGENT, PROGRAMS[0], 0, *point) for point in curve]
    assert len(rows) >= 1
