"""The runner: agents on the programs of a task, into a file of records. Nothing else writes one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from llmopt_bench.agent import LoadedAgent, load_agent
from llmopt_bench.datasets import make_dataset
from llmopt_bench.errors import BadAgent, BadRecord, BadTask
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.record import Record, RecordWriter, read_records
from llmopt_bench.report import write_report
from llmopt_bench.run_store import STORE, RunStore
from llmopt_bench.runner_phases import Executor, Phases, Progress
from llmopt_bench.runner_pool import records_of
from llmopt_bench.runner_work import Job
from llmopt_bench.score import Row, score_table
from llmopt_bench.task import Task, make_task

RECORDS = "records.jsonl"
REPORT = "report.md"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run has left behind."""

    task: Task
    folder: Path
    """Holds ``records.jsonl`` and ``report.md``; ``store.sqlite`` if an agent has two phases."""
    records: list[Record]
    """All records of the file, those of earlier runs included."""
    rows: list[Row]

    @property
    def failures(self) -> list[Record]:
        """The records without a valid answer."""
        return [record for record in self.records if record.status != "ok"]


def run(
    task: Task | str,
    agents: Sequence[str | LoadedAgent],
    *,
    limit: int | None = None,
    budget: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    isolation: Isolation | None = DEFAULT,
    command: str = "",
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> RunResult:
    """Run agents on the programs of a task; write records and a report.

    Every record is on the disk before the next one is waited for, so an interrupted run loses
    only what was in the air. The records do not depend on ``jobs``, but for their order and times.

    Args:
        task: A task, or the name or path of one.
        agents: Agents, or names of agents.
        limit: Run on the first programs only.
        budget: Compilations per program, if not the task's.
        seed: Seed of the run; each item derives its own from it.
        jobs: Worker processes; as many as there are cores if None.
        out: Folder for the results; ``runs/TASK-TIME`` if None.
        resume: Go on with the records that ``out`` holds, and skip what they cover.
        isolation: The limits of the compiler; None to let LLVM work in the worker processes of
            the run, where a crash of LLVM costs the agent its work on that program.
        command: The command line to quote in the report.
        progress: Called at the start and after each record.
        executor: What does the work; ``jobs`` processes on this machine if None.

    Raises:
        BadRecord: ``out`` holds records and ``resume`` is not set, or they are of another run.
        BadStore: The same of the store, or it cannot be read.
        LlmoptError: The task, an agent or a program cannot be loaded.
    """
    task = task if isinstance(task, Task) else make_task(task)
    if budget is not None and budget < 0:
        raise BadTask(f"budget: expected 0 or more, got {budget}. Correct it.")
    job = Job(task, _loaded(agents), task.budget if budget is None else budget, seed, isolation)
    programs = task_programs(task, limit)
    folder = Path(out) if out else Path("runs") / f"{task.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    execute = executor or partial(records_of, jobs=jobs or available_cores())
    with ExitStack() as files:
        writer = files.enter_context(RecordWriter(folder / RECORDS, resume=resume))
        earlier = list(read_records(writer.path)) if writer.keys else []
        check_resumable(job, earlier)
        store = None
        if any(agent.has_broadcast for agent in job.agents):
            store = files.enter_context(RunStore(folder / STORE, resume=resume))
            check_resumable(job, store.firsts())
        answered = {record.key for record in earlier if record.status == "ok"}
        Phases(job, programs, writer, store, answered).run(execute, progress)
    records = list(read_records(folder / RECORDS))
    rows = score_table(records, {*programs, *(record.program for record in records)})
    write_report(folder / REPORT, task, rows, records, command)
    return RunResult(task, folder, records, rows)


def task_programs(task: Task, limit: int | None = None) -> list[str]:
    """Return the URIs of the programs of a task, or the first ``limit`` of them.

    Raises:
        BadTask: The limit is below 1, or the task has no end and there is no limit.
        NotBuilt, MissingTool: The programs cannot be loaded on this machine as it is.
    """
    if limit is not None and limit < 1:
        raise BadTask(f"limit: expected 1 or more programs, got {limit}. Correct it.")
    if task.dataset is None:
        return list(task.programs[:limit])
    dataset = make_dataset(task.dataset)
    if limit is None and dataset.size is None:
        raise BadTask(f"{task.name}: {task.dataset} has no end. Give a limit.")
    dataset.require()
    return list(islice(dataset.uris(), limit))


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def check_resumable(job: Job, records: Iterable[Record]) -> None:
    """Raise if records of an earlier run do not belong to the same table as those of ``job``.

    Raises:
        BadRecord: A setting differs; the message names it.
    """
    settings = {agent.info.name: dict(agent.info.settings) for agent in job.agents}
    expected = {
        "task_sha256": job.task.sha256,
        "action_set_sha256": job.action_set.sha256,
        "budget": job.budget,
        "seed": job.seed,
        "llvm_version": job.build["llvm_version"],
        "package_version": job.build["llmopt_bench"],
    }
    for record in records:
        found = {name: getattr(record, name) for name in expected}
        _same(expected, found, record)
        if record.agent in settings:
            given = {"agent_settings": settings[record.agent]}
            _same(given, {"agent_settings": record.agent_settings}, record)


def _same(expected: Mapping[str, object], found: Mapping[str, object], record: Record) -> None:
    for name, value in expected.items():
        if found[name] != value:
            raise BadRecord(
                f"cannot resume: {name} is {value!r} now, and was {found[name]!r} for "
                f"{record.agent} on {record.program}. Use the same, or another folder."
            )


def _loaded(agents: Sequence[str | LoadedAgent]) -> tuple[LoadedAgent, ...]:
    loaded = tuple(a if isinstance(a, LoadedAgent) else load_agent(a) for a in agents)
    names = [agent.info.name for agent in loaded]
    if not names:
        raise BadAgent("expected at least one agent, got none. Name one.")
    if len(set(names)) != len(names):
        raise BadAgent(f"expected every agent once, got {', '.join(names)}. Remove the repeat.")
    return loaded
