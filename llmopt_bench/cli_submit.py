"""The commands that write leaderboards: submit, and open-board for maintainers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmopt_bench import cli_isolation as limits
from llmopt_bench.cli_console import progress_bar
from llmopt_bench.cli_run import read_all
from llmopt_bench.cli_verify import Execute, Jobs, replayed

if TYPE_CHECKING:
    from llmopt_bench.record import Record

To = Annotated[Path, typer.Option("--to", help="The folder of leaderboards.")]
LEADERBOARDS = Path("leaderboards")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(submit)
    app.command("open-board")(open_board)


def submit(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs of one task.")],
    card: Annotated[
        Path | None, typer.Option(help="The card; card.toml in the first folder by default.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Which agent, if the runs have records of several.")
    ] = None,
    to: To = LEADERBOARDS,
    add: Annotated[
        bool, typer.Option("--add", help="Add runs at further budgets to an entry that is there.")
    ] = False,
    run_programs: Execute = True,
    jobs: Jobs = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
) -> None:
    """Check and replay the records of an agent, and write them as an entry of a leaderboard.

    Without a card, one to be filled in is written beside the records, and the exit code is 1.
    """
    from llmopt_bench.card import read_card
    from llmopt_bench.submit import submit as write_entry

    records = read_all(runs)
    if card is None:
        records = _of_one_agent(records, agent)
        present = _present(to, records[0])
        card = present if add and present.exists() else _beside(runs[0], agent, records)
    found = read_card(card)
    replay = partial(
        replayed,
        run_programs=run_programs,
        jobs=jobs,
        isolation=limits.isolation_of(deadline, memory_limit, in_process),
    )
    typer.echo(write_entry(records, found, to, replay, add=add))


def open_board(
    task: Annotated[str, typer.Argument(help="Name of a task, or path of its .toml file.")],
    to: To = LEADERBOARDS,
    jobs: Jobs = None,
    deadline: limits.Deadline = limits.DEADLINE,
    memory_limit: limits.MemoryLimit = limits.MEMORY_MIB,
    in_process: limits.InProcess = False,
) -> None:
    """Write the list of the programs of a task, with hashes and -Oz: for maintainers of boards."""
    from llmopt_bench.open_board import open_board as write_programs
    from llmopt_bench.runner import available_cores

    with progress_bar() as advance:
        path = write_programs(
            task,
            to,
            jobs=jobs or available_cores(),
            isolation=limits.isolation_of(deadline, memory_limit, in_process),
            progress=advance,
        )
    typer.echo(path)


def _of_one_agent(records: Sequence[Record], agent: str | None) -> list[Record]:
    """Return the records of the agent that is asked for, or of the only one."""
    names = sorted({record.agent for record in records})
    if agent is None and len(names) > 1:
        raise typer.BadParameter(
            f"expected records of one agent, got {', '.join(names)}. Name one.",
            param_hint="--agent",
        )
    if agent is not None and agent not in names:
        raise typer.BadParameter(
            f"expected one of {', '.join(names)}, got {agent!r}.", param_hint="--agent"
        )
    return [record for record in records if agent in (None, record.agent)]


def _present(boards: Path, record: Record) -> Path:
    """Return where the card of an entry of this agent is, if there is one."""
    from llmopt_bench.entries import CARD

    return boards / record.task / f"{record.agent}-{record.agent_version}" / CARD


def _beside(run: Path, agent: str | None, records: Sequence[Record]) -> Path:
    """Return the path of the card beside the records of a run, which are all of one agent.

    Raises:
        BadCard: There was none; now there is one to be filled in.
    """
    from llmopt_bench.card_template import card_template
    from llmopt_bench.errors import BadCard
    from llmopt_bench.plain_file import write_whole

    folder = run if run.is_dir() else run.parent
    path = folder / (f"card-{agent}.toml" if agent else "card.toml")
    if not path.exists():
        write_whole(path, card_template(records).encode())
        raise BadCard(
            f"{path}: there was no card, so this one was written with what the records say. Fill "
            "in the rest, then run this command again."
        )
    return path
