"""Tables of rows, for terminals and for reports. The numbers come from ``score``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmopt_bench.markdown import escape, table
from llmopt_bench.record import Record
from llmopt_bench.score import Row
from llmopt_bench.task import Task

if TYPE_CHECKING:
    from rich.table import Table


class Column(NamedTuple):
    """One column of a table of rows."""

    heading: str
    cell: Callable[[Row], str]


def percent(fraction: float | None) -> str:
    """Return a fraction as percent with a sign, or a dash if there is none."""
    return "-" if fraction is None else f"{100 * fraction:+.2f} %"


def interval_text(row: Row) -> str:
    """Return the interval of a row in percent, or a dash if there is none."""
    if row.interval is None:
        return "-"
    low, high = row.interval
    return f"{100 * low:+.2f} .. {100 * high:+.2f}"


def _with_backup(row: Row) -> float | None:
    return None if row.with_backup is None else row.with_backup.overall_improvement


def _unsigned_percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}%"


def _backup_compilations(row: Row) -> str:
    return "-" if row.with_backup is None else f"{row.with_backup.additional_compilations:,}"


COLUMNS = (
    Column("Agent", lambda row: f"{row.agent} {row.agent_version}"),
    Column("Programs", lambda row: f"{row.programs:,}"),
    Column("Improved", lambda row: f"{row.improved:,}"),
    Column("Regressed", lambda row: f"{row.regressed:,}"),
    Column("Saved", lambda row: f"{row.instructions_saved:,}"),
    Column("Lost", lambda row: f"{row.instructions_regressed:,}"),
    Column("Over -Oz", lambda row: percent(row.overall_improvement)),
    Column("95 % interval", interval_text),
    Column("With backup", lambda row: percent(_with_backup(row))),
    Column("Mean", lambda row: percent(row.mean_over_oz)),
    Column("Geomean", lambda row: ratio(row.geomean_over_oz)),
    Column("Compilations", lambda row: f"{row.additional_compilations:,}"),
    Column("Seconds", lambda row: f"{row.seconds:,.1f}"),
    Column("Failed", lambda row: f"{row.failures + row.missing:,}"),
)
"""``Saved`` and ``Lost`` are in the unit of the task's metric."""

PAPER_COLUMNS = (
    Column("", lambda row: f"{row.agent} {row.agent_version}"),
    Column("additional compilations", lambda row: f"{row.additional_compilations:,}"),
    Column("functions improved", lambda row: f"{row.improved:,}"),
    Column("functions regressed", lambda row: f"{row.regressed:,}"),
    Column("instructions saved", lambda row: f"{row.instructions_saved:,}"),
    Column("instructions regressed", lambda row: f"{row.instructions_regressed:,}"),
    Column("overall improvement", lambda row: _unsigned_percent(row.overall_improvement)),
    Column("additional compilations, -Oz backup", _backup_compilations),
    Column("overall improvement, -Oz backup", lambda row: _unsigned_percent(_with_backup(row))),
)
"""The nine columns of Tables III and IV of arXiv 2309.07062, the second of which has the last two.

In the paper the programs are functions, and the metric counts instructions.
"""

_LEGEND = """\
Over -Oz is the ranked score, `sum(Oz) / sum(new) - 1`, with a bootstrap interval over the programs.
With backup is the same score if -Oz were tried too and the smaller result kept. Mean is
`mean((Oz - new) / Oz)`, Geomean is `geomean(Oz / new)`, where 1 is as good as -Oz. Compilations are
those the agent spent beyond its answer. Failed counts missing runs and those without an answer.
"""


def ratio(value: float | None) -> str:
    """Return a ratio, or a dash if there is none."""
    return "-" if value is None else f"{value:.4f}"


def columns_for(rows: Sequence[Row]) -> tuple[Column, ...]:
    """Return the columns to show, with the budget where there are several."""
    if len({row.budget for row in rows}) < 2:
        return COLUMNS
    return (COLUMNS[0], Column("Budget", lambda row: f"{row.budget:,}"), *COLUMNS[1:])


def rows_table(rows: Sequence[Row], title: str = "") -> Table:
    """Return the rows as a table for a terminal."""
    from rich import box
    from rich.table import Table

    columns = columns_for(rows)
    grid = Table(title=title or None, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for number, column in enumerate(columns):
        grid.add_column(column.heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(column.cell(row) for column in columns))
    return grid


def paper_table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table for a terminal, in the form of Tables III and IV of 2309.07062."""
    from rich import box
    from rich.table import Table

    grid = Table(box=box.HORIZONTALS, pad_edge=False)
    for number, column in enumerate(PAPER_COLUMNS):
        grid.add_column(column.heading, justify="right" if number else "left")
    for row in rows:
        grid.add_row(*(column.cell(row) for column in PAPER_COLUMNS))
    return grid


def markdown_rows(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    columns = columns_for(rows)
    agent, *numbers = columns
    cells = [[escape(agent.cell(row)), *(c.cell(row) for c in numbers)] for row in rows]
    numeric = [False, *(True for _ in columns[1:])]
    return table([column.heading for column in columns], cells, numeric)


def write_report(
    path: Path, task: Task, rows: Sequence[Row], records: Sequence[Record], command: str = ""
) -> None:
    """Write what a reader needs to judge a run, and to repeat it, as Markdown.

    Args:
        path: The file; its folder exists.
        task: The task that was run.
        rows: The rows of all records, best first.
        records: At least one record; the build is taken from the first.
        command: The command line of the run; left out if empty.
    """
    parts = [f"# {task.name}\n", markdown_rows(rows), _LEGEND, *_failures(records)]
    if command:
        parts.append(f"## Command\n\n    {command}\n")
    facts = _facts(task, records[0])
    parts.append("## Settings\n\n" + _texts(("What", "Value"), list(facts.items())))
    # An error or a command line may hold bytes of a file name that are not UTF-8.
    path.write_text("\n".join(parts), "utf-8", "backslashreplace")


def _facts(task: Task, record: Record) -> dict[str, str]:
    return {
        "task": f"{task.name} {task.sha256}",
        "action set": f"{record.action_set} {record.action_set_sha256}",
        "metric": record.metric,
        "budget": f"{record.budget} (the task's: {task.budget})",
        "seed": f"{record.seed}",
        **record.build,
    }


def _failures(records: Sequence[Record]) -> list[str]:
    failed = [record for record in records if record.status != "ok"]
    if not failed:
        return []
    shown = [(r.agent, r.program, r.error or "") for r in failed[:50]]
    more = f"\n{len(failed) - 50} more in the records.\n" if len(failed) > 50 else ""
    return ["## Failed runs\n\n" + _texts(("Agent", "Program", "Error"), shown) + more]


def _texts(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [[escape(text) for text in line] for line in lines]
    return table(headings, cells, [False] * len(headings))
