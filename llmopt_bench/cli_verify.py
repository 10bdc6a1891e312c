"""The command that replays records: of runs, and of the entries of leaderboards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_console import Json, print_json, progress_bar
from llmopt_bench.cli_run import read_all

if TYPE_CHECKING:
    from llmopt_bench.isolation import Isolation
    from llmopt_bench.record import Record
    from llmopt_bench.verify import Finding

Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")]
Execute = Annotated[
    bool,
    typer.Option(
        "--execute/--no-execute",
        help="Run each resulting program whose output is known; needs clang.",
    ),
]


@dataclass
class Submitted:
    """What was found below the paths of leaderboards."""

    entries: int = 0
    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What is wrong with entries and boards, without any replay."""


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(verify)


def verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files of records, folders of them; leaderboards, a task's folder, an entry."
        ),
    ],
    run_programs: Execute = True,
    jobs: Jobs = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
    as_json: Json = False,
) -> None:
    """Replay every record; the exit code is 1 if one does not hold.

    The resulting program must print what the unoptimized one prints, where it can be run. Entries
    of leaderboards must also be complete and keep to the rules of docs/submit.md.
    """
    found = Submitted()
    for path in paths:
        if not _is_of_boards(path):
            found.records += read_all([path])
            continue
        _gather(path, found)
    isolation = limits.isolation_of(deadline, memory_limit, in_process)
    findings = replayed(found.records, run_programs=run_programs, jobs=jobs, isolation=isolation)
    bad = len({finding.record.key for finding in findings})
    if as_json:
        problems = [{**f.record.key._asdict(), "problem": f.problem} for f in findings]
        problems += [{"problem": problem} for problem in found.problems]
        print_json({"records": len(found.records), "problems": problems})
    else:
        for line in [*found.problems, *findings]:
            typer.echo(str(line))
        count = f"{found.entries:,} {'entry' if found.entries == 1 else 'entries'}"
        entries = f" of {count}" if found.entries else ""
        typer.echo(f"{len(found.records) - bad} of {len(found.records)} records{entries} hold")
    if findings or found.problems:
        raise typer.Exit(1)


def replayed(
    records: Sequence[Record], *, run_programs: bool, jobs: int | None, isolation: Isolation | None
) -> list[Finding]:
    """Return what ``verify_records`` finds, with a bar and warnings on standard error."""
    from llmopt_bench.runner import available_cores
    from llmopt_bench.verify import verify_records

    done = 0
    with progress_bar() as advance:

        def step(record: Record) -> None:
            nonlocal done
            done += 1
            advance(done, len(records), record.program)

        return verify_records(
            records,
            step,
            run_programs=run_programs,
            isolation=isolation,
            warn=lambda reason: typer.echo(f"warning: {reason}", err=True),
            jobs=jobs or available_cores(),
        )


def _is_of_boards(path: Path) -> bool:
    """Whether a path is leaderboards, the folder of a task in them, or an entry."""
    from llmopt_bench.board_programs import PROGRAMS
    from llmopt_bench.entries import CARD, RECORDS, task_folders

    if not path.is_dir():
        return False
    entry = (path / CARD).exists() and (path / RECORDS).exists()
    return entry or (path / PROGRAMS).exists() or bool(task_folders(path))


def _gather(path: Path, found: Submitted) -> None:
    """Read the entries below a path of leaderboards; one that is wrong does not hide another."""
    from llmopt_bench.board_programs import PROGRAMS
    from llmopt_bench.entries import entry_folders, task_folders
    from llmopt_bench.errors import LlmoptError

    path = path.absolute()
    if boards := task_folders(path):
        for board in boards:
            _gather(board, found)
        return
    try:
        if (path / PROGRAMS).exists():
            _read(path, entry_folders(path), found)
        else:
            _read(path.parent, [path], found)
    except LlmoptError as error:
        found.problems.append(str(error))


def _read(board: Path, folders: Sequence[Path], found: Submitted) -> None:
    from llmopt_bench.board_programs import PROGRAMS, read_programs
    from llmopt_bench.entries import read_entry, task_of
    from llmopt_bench.errors import BadEntry, LlmoptError
    from llmopt_bench.runner import task_programs

    task = task_of(board)
    programs = read_programs(board / PROGRAMS, task)
    if set(task_programs(task)) != set(programs):
        raise BadEntry(
            f"{board / PROGRAMS}: expected the programs of {task.name}, got others. "
            "`llmopt-bench open-board` writes the file."
        )
    for folder in folders:
        found.entries += 1
        try:
            found.records += read_entry(folder, task, programs).records
        except LlmoptError as error:
            found.problems.append(str(error))
