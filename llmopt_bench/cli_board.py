"""The command that ranks: board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmopt_bench.cli_submit import LEADERBOARDS


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(board)


def board(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the pages are up to date.")
    ] = False,
    site: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the boards as a web site.")
    ] = None,
    leaderboards: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of leaderboards.")
    ] = LEADERBOARDS,
) -> None:
    """Rank the entries of all leaderboards, and write their pages.

    From cards and records alone; needs no compiler. With --check nothing is written, and the exit
    code is 1 if a page is not what the records say.
    """
    from llmopt_bench.board_folder import differing_pages, read_boards, write_pages
    from llmopt_bench.board_pages import pages

    if check and site is not None:
        raise typer.BadParameter("--check writes nothing, --site does. Give one.")
    boards = read_boards(leaderboards)
    expected = pages(boards)
    if check:
        _complain_of(leaderboards, differing_pages(leaderboards, expected))
        typer.echo(f"{len(expected)} pages are what the records say")
        return
    for name in write_pages(leaderboards, expected):
        typer.echo(leaderboards / name)
    if site is not None:
        from llmopt_bench.board_site import INDEX, write_site

        write_site(boards, site)
        typer.echo(site / INDEX)


def _complain_of(leaderboards: Path, wrong: dict[str, str]) -> None:
    for name, problem in wrong.items():
        typer.echo(f"error: {leaderboards / name} {problem}", err=True)
    if wrong:
        typer.echo("Run: llmopt-bench board", err=True)
        raise typer.Exit(1)
