"""How the commands write to the terminal: tables on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH_OF_A_FILE = 200

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class Advance(Protocol):
    """Says how far a job is."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show that ``done`` of ``total`` are finished, and what is being done."""


def read_value(text: str) -> Any:
    """Return a value given as text: read as JSON; what is not JSON is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the second for lists in lists in lists
        return text


def print_json(document: object) -> None:
    """Print one JSON document on one line."""
    typer.echo(json.dumps(document))


def print_table(table: Table) -> None:
    """Print a table; cells are taken as they are, and a file gets all of its columns."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    Console(width=width, markup=False, highlight=False).print(table)


def grid(headings: list[str], rows: list[list[Any]]) -> Table:
    """Return a plain table in which numbers are aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        numeric = bool(rows) and all(_is_number(row[number]) for row in rows)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def progress_bar() -> Iterator[Advance]:
    """Yield a function that moves a bar on stderr, or does nothing if that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total, what="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what="": bar.update(
            task, completed=done, total=total, description=what
        )
