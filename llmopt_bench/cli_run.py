"""The commands about records: run, score."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_console import (
    Json,
    print_json,
    print_table,
    progress_bar,
    read_value,
)

if TYPE_CHECKING:
    from llmopt_bench.agent import LoadedAgent
    from llmopt_bench.record import Record
    from llmopt_bench.runner_phases import Executor as RunExecutor
    from llmopt_bench.score import Row

Paths = Annotated[list[Path], typer.Argument(help="Files of records, or folders of them.")]


class Executor(StrEnum):
    """What ``--executor`` takes."""

    PROCESSES = "processes"
    RAY = "ray"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(run)
    app.command()(score)


def run(
    task: Annotated[str, typer.Option(help="Name of a task, or path of its .toml file.")],
    agents: Annotated[str, typer.Option(help="Agents, separated by commas.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="AGENT.SETTING=VALUE", help="As in random.max_passes=10; repeatable."
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=0, max=sys.maxsize, help="Compilations per program, if not the task's."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=sys.maxsize, help="First programs only.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=sys.maxsize, help="Seed of the run.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; all cores by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/TASK-TIME by default.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    executor: Annotated[
        Executor, typer.Option(help="What does the work: processes here, or Ray.")
    ] = Executor.PROCESSES,
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster; Ray is started here by default.")
    ] = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
    as_json: Json = False,
) -> None:
    """Run agents on a task and print the table.

    OUT gets records.jsonl and report.md. The exit code is 1 if any run failed.
    """
    from llmopt_bench.runner import REPORT
    from llmopt_bench.runner import run as run_task

    if resume and out is None:
        raise typer.BadParameter("--resume needs --out, the folder to go on with.")
    if address is not None and executor is not Executor.RAY:
        raise typer.BadParameter("--address needs --executor ray.")
    loaded = load_agents(agents, settings or [])
    with started(executor, address, jobs) as execute, progress_bar() as advance:
        result = run_task(
            task,
            loaded,
            limit=limit,
            budget=budget,
            seed=seed,
            jobs=jobs,
            out=out,
            resume=resume,
            isolation=limits.isolation_of(deadline, memory_limit, in_process),
            command=shlex.join(["llmopt-bench", *sys.argv[1:]]),
            executor=execute,
            progress=lambda done, total, record: advance(
                done, total, record.program if record else ""
            ),
        )
    show_rows(result.task.name, result.rows, as_json)
    typer.echo(f"report: {result.folder / REPORT}", err=True)
    if failures := result.failures:
        first = failures[0]
        typer.echo(
            f"error: {len(failures)} of {len(result.records)} runs failed; the first: "
            f"{first.agent} on {first.program}: {first.error}",
            err=True,
        )
        raise typer.Exit(1)


def score(
    paths: Paths,
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Print the columns of arXiv 2309.07062, Tables III and IV."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the table of one task from records alone; needs no compiler."""
    from llmopt_bench.report import paper_table
    from llmopt_bench.score import score_table

    if paper and as_json:
        raise typer.BadParameter("--paper is for people, --json has all of it. Give one.")
    records = read_all(paths)
    rows = score_table(records)
    if paper:
        print_table(paper_table(rows))
    else:
        show_rows(records[0].task, rows, as_json)


def show_rows(task: str, rows: Sequence[Row], as_json: bool) -> None:
    """Print the rows of a task."""
    from llmopt_bench.report import rows_table

    if as_json:
        print_json({"task": task, "rows": [row.to_json() for row in rows]})
    else:
        print_table(rows_table(rows, task))


@contextmanager
def started(
    executor: Executor, address: str | None, jobs: int | None
) -> Iterator[RunExecutor | None]:
    """Yield what ``run`` is to work with; None for its processes on this machine."""
    if executor is Executor.PROCESSES:
        yield None
        return
    from llmopt_bench.executor_ray import RayExecutor

    with RayExecutor(address, jobs) as ray:
        yield ray


def load_agents(names: str, settings: Sequence[str]) -> list[LoadedAgent]:
    """Return the agents of ``a,b`` with settings such as ``a.limit=3``.

    A value is read as JSON; what is not JSON is text.

    Raises:
        typer.BadParameter: A setting cannot be read or belongs to no agent.
        LlmoptError: An agent cannot be loaded.
    """
    from llmopt_bench.agent import load_agent

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # so that module:attribute finds modules of the working folder
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    given: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    for text in settings:
        key, equals, value = text.partition("=")
        owner = next((name for name in wanted if key.startswith(f"{name}.")), None)
        if not equals or owner is None:
            raise typer.BadParameter(
                f"expected AGENT.SETTING=VALUE with an agent of --agents, got {text!r}.",
                param_hint="--set",
            )
        given[owner][key.removeprefix(f"{owner}.")] = read_value(value)
    return [load_agent(name, **given[name]) for name in wanted]


def read_all(paths: Sequence[Path]) -> list[Record]:
    """Return the records of files and folders, at least one.

    Raises:
        BadRecord: There is none, or one cannot be read.
    """
    from llmopt_bench.errors import BadRecord
    from llmopt_bench.record import read_records

    records: list[Record] = []
    for path in paths:
        records += read_records(path)
    if not records:
        raise BadRecord(f"{paths[0]}: expected records, found none. Run an agent first.")
    return records
