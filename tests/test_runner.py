"""The runner: records whatever agents do, the same for any number of processes."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import Record, Task, load_agent, make_dataset, read_records
from llmopt_bench.agent import LoadedAgent
from llmopt_bench.errors import BadAgent, BadRecord, BadTask, UnknownName, UnknownProgram
from llmopt_bench.runner import RunResult, run, task_programs
from llmopt_bench.runner_work import Item, Job, derived_seed, describe, perform

PLUGIN = Path(__file__).parent / "plugin"
PROGRAMS = tuple(list(make_dataset("bundled-functions-v1").uris())[:3])
TASK = Task(name="tiny", metric="instruction_count", budget=5, programs=PROGRAMS)


@pytest.fixture(autouse=True)
def _odd_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def run_here(agent: LoadedAgent, budget: int = 5) -> Record:
    """Run in this process, on the first program."""
    job = Job(TASK, (agent,), budget, seed=0)
    return perform(job, Item(0, PROGRAMS[0], 0), job.facts(PROGRAMS[0]))


def run_all(out: Path, agents: Sequence[str | LoadedAgent], **options: Any) -> RunResult:
    return run(options.pop("task", TASK), agents, out=out, **options)


def facts(records: Sequence[Record]) -> list[Record]:
    """Return what must not depend on order and time."""
    return sorted((replace(r, wall_seconds=0) for r in records), key=lambda record: record.key)


def test_records_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    task = replace(TASK, repetitions=2)
    agents = ["random", "Oz", "odd_agents:Raises"]
    one = run_all(tmp_path / "1", agents, task=task, jobs=1)
    two = run_all(tmp_path / "2", agents, task=task, jobs=2)
    assert len(one.records) == 2 * 3 * len(PROGRAMS)
    assert facts(one.records) == facts(two.records)
    assert {r.status for r in one.records if r.agent != "odd_agents:Raises"} == {"ok"}
    assert [row.agent for row in one.rows][-1] == "odd_agents:Raises"


def test_seeds_differ_by_program_and_repetition_and_are_pinned() -> None:
    seeds = {derived_seed(s, p, r) for s in (0, 1) for p in PROGRAMS for r in (0, 1)}
    assert len(seeds) == 4 * len(PROGRAMS)
    assert derived_seed(0, "bundled-v1/x", 0) == 4024890881106475


def test_agent_that_raises_gives_a_failed_record() -> None:
    record = run_here(load_agent("odd_agents:Raises"))
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.startswith("RuntimeError: out of ideas (odd_agents.py:")
    assert (record.new, record.pass_list) == (None, "")
    assert (record.additional_compilations, record.passes_applied) == (1, 1)


def test_a_record_says_how_often_the_compiler_failed() -> None:
    record = run_here(load_agent("odd_agents:Crashes"))
    assert (record.status, record.usage) == ("ok", {"compiler_failures": 2})
    assert run_here(load_agent("Oz")).usage == {}


def test_agent_that_overspends_has_failed_and_is_charged() -> None:
    record = run_here(load_agent("odd_agents:Overspends"))
    assert record.error is not None
    assert record.error.startswith("BudgetSpent: asked for 1 compilations, 0 of 5 are left")
    assert record.additional_compilations == 5


@pytest.mark.parametrize(
    ("agent", "settings", "error"),
    [
        ("odd_agents:Answers", {}, "BadAgent: .* got int"),
        ("odd_agents:Answers", {"kind": "excluded"}, "BadAgent: .*internalize"),
        ("odd_agents:BadUsage", {}, "BadAgent: .*expected numbers"),
    ],
)
def test_bad_answers_fail(agent: str, settings: dict[str, str], error: str) -> None:
    record = run_here(load_agent(agent, **settings))
    assert record.status == "failed"
    with pytest.raises(RuntimeError, match=error):
        raise RuntimeError(record.error)


def test_usage_and_settings_are_recorded() -> None:
    record = run_here(load_agent("example_plugin:FirstN", n=3))
    assert record.usage == {"names": 3}
    assert record.agent_settings == {"n": 3}
    assert record.agent_version == "unversioned"


def test_what_a_failed_run_used_is_recorded_and_not_what_the_run_before_used() -> None:
    agent = load_agent("odd_agents:PaysAndFails")
    assert run_here(agent).usage == {"tokens": 7}
    record = run_here(agent)
    assert (record.status, record.usage) == ("failed", {"tokens": 9})
    record = run_here(agent)
    assert (record.status, record.usage) == ("failed", {})


def test_error_texts_are_one_line_of_bounded_length() -> None:
    text = describe(ValueError("a\nb" + "x" * 10_000))
    assert text.startswith("ValueError: a bx")
    assert "\n" not in text
    assert len(text) < 600


def test_process_that_dies_fails_its_item_and_nothing_else(tmp_path: Path) -> None:
    result = run_all(tmp_path / "out", ["odd_agents:Killed", "Oz"], jobs=2, limit=2)
    killed = [r for r in result.records if r.agent != "Oz"]
    assert [r.status for r in result.records if r.agent == "Oz"] == ["ok", "ok"]
    assert len(killed) == 2
    for record in killed:
        assert record.error is not None
        assert "killed by SIGKILL" in record.error
        assert record.additional_compilations == TASK.budget
    assert result.failures == killed


def test_process_that_dies_once_is_tried_again(tmp_path: Path) -> None:
    agent = load_agent("odd_agents:Killed", marker=str(tmp_path / "marker"))
    (record,) = run_all(tmp_path / "out", [agent], jobs=1, limit=1).records
    assert (record.status, record.error) == ("ok", None)


def test_resume_runs_only_what_is_missing(tmp_path: Path) -> None:
    whole = run_all(tmp_path, ["random", "Oz"], jobs=1).records
    file = tmp_path / "records.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [*lines[:2], *lines[3:5]]
    file.write_bytes(b"".join(kept) + lines[5][:50])
    seen: list[tuple[int, int]] = []
    resumed = run_all(
        tmp_path,
        ["random", "Oz"],
        jobs=1,
        resume=True,
        progress=lambda done, total, record: seen.append((done, total)),
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert file.read_bytes().splitlines(keepends=True)[:4] == kept
    assert facts(resumed.records) == facts(whole)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"seed": 1}, "seed"), ({"budget": 2}, "budget"), ({"agents": True}, "agent_settings")],
)
def test_resume_refuses_other_settings(
    tmp_path: Path, options: dict[str, Any], name: str, finished: bytes
) -> None:
    (tmp_path / "records.jsonl").write_bytes(finished)
    agent = load_agent("random", max_passes=3) if options.pop("agents", False) else "random"
    with pytest.raises(BadRecord, match=f"cannot resume: {name} is"):
        run_all(tmp_path, [agent], resume=True, jobs=1, **options)
    assert (tmp_path / "records.jsonl").read_bytes() == finished


@pytest.fixture(scope="module")
def finished() -> bytes:
    """Return the file of a run with one record."""
    return run_here(load_agent("random")).to_json().encode() + b"\n"


def test_records_are_not_overwritten(tmp_path: Path, finished: bytes) -> None:
    (tmp_path / "records.jsonl").write_bytes(finished)
    with pytest.raises(BadRecord, match="Resume, or choose another name"):
        run_all(tmp_path, ["random"])


def test_interruption_keeps_what_is_finished_and_leaves_no_process(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, record: Record | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(tmp_path, ["Oz"], jobs=2, progress=interrupt)
    assert len(list(read_records(tmp_path / "records.jsonl"))) == 2
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (
            signal.SIGINT,
            130,
            "error: interrupted; what was finished is kept; run it again with --resume and --out",
        ),
    ],
)
def test_processes_die_with_the_runner(
    tmp_path: Path, ending: signal.Signals, code: int, said: str
) -> None:
    pid_file = tmp_path / "pid"
    options = ["--agents", "odd_agents:Sleeps", "--set", f"odd_agents:Sleeps.pid_file={pid_file}"]
    task = ["--task", "functions-v1", "--limit", "1", "--jobs", "1", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "llmopt_bench", "run", *task, *options]
    path = os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(
        command, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as runner:
        try:
            wait_for(lambda: pid_file.exists() and pid_file.read_text("utf-8") != "")
            runner.send_signal(ending)
            worker = int(pid_file.read_text("utf-8"))
            wait_for(lambda: not is_running(worker))
            assert runner.communicate(timeout=30)[1].strip() == said.strip()
            assert runner.returncode == code
        finally:
            runner.kill()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid_file.read_text("utf-8")), signal.SIGKILL)


def heed_interrupts() -> None:
    """Undo what a shell does to its background jobs, of which this test may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_report_says_how_to_repeat_the_run(tmp_path: Path) -> None:
    agents = ["Oz", "odd_agents:Raises"]
    result = run_all(tmp_path, agents, jobs=1, limit=1, seed=3, command="llmopt-bench run ...")
    report = (result.folder / "report.md").read_text("utf-8")
    assert report.startswith("# tiny\n")
    assert "| Oz 1 | 1 | 0 | 0 | 0 | 0 | +0.00 % |" in report
    assert "| odd_agents:Raises |" in report
    assert "RuntimeError: out of ideas" in report
    for fact in ("llmopt-bench run ...", TASK.sha256, "| seed | 3 |", "llvm_version"):
        assert fact in report


def test_other_budget_is_recorded(tmp_path: Path) -> None:
    (record,) = run_all(tmp_path, ["random"], jobs=1, limit=1, budget=3).records
    assert (record.budget, record.additional_compilations) == (3, 3)
    assert record.task_sha256 == TASK.sha256


def test_programs_of_a_task() -> None:
    assert task_programs(TASK) == list(PROGRAMS)
    assert task_programs(TASK, 2) == list(PROGRAMS[:2])
    whole = Task(name="t", metric="text_size", budget=1, dataset="bundled-v1")
    assert task_programs(whole) == list(make_dataset("bundled-v1").uris())
    endless = replace(whole, dataset="csmith-v0")
    assert task_programs(endless, 2) == ["csmith-v0/0", "csmith-v0/1"]
    with pytest.raises(BadTask, match=r"has no end\. Give a limit"):
        task_programs(endless)
    with pytest.raises(BadTask, match="expected 1 or more"):
        task_programs(TASK, 0)


@pytest.mark.parametrize(
    ("agents", "options", "error", "message"),
    [
        ([], {}, BadAgent, "expected at least one agent"),
        (["Oz", "Oz"], {}, BadAgent, "every agent once, got Oz, Oz"),
        (["nobody"], {}, UnknownName, "unknown agent"),
        (["Oz"], {"budget": -1}, BadTask, "expected 0 or more"),
        (["Oz"], {"task": "nothing"}, UnknownName, "unknown task"),
    ],
)
def test_bad_requests_leave_no_folder(
    tmp_path: Path,
    agents: list[str],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        run_all(tmp_path / "out", agents, **options)
    assert not (tmp_path / "out").exists()


def test_program_that_is_not_there_ends_the_run(tmp_path: Path) -> None:
    task = replace(TASK, programs=("bundled-v1/no-such",))
    with pytest.raises(UnknownProgram, match="no-such"):
        run_all(tmp_path, ["Oz"], task=task, jobs=1)
    assert multiprocessing.active_children() == []


def test_text_size_is_measured_when_the_task_says_so(tmp_path: Path) -> None:
    task = replace(TASK, metric="text_size")
    (record,) = run_all(tmp_path, ["Oz"], task=task, jobs=1, limit=1).records
    assert record.metric == "text_size"
    assert record.new == record.oz > 0
    assert json.loads(record.to_json())["initial"] > record.oz
