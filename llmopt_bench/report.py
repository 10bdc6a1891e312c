"""Tables of rows, for terminals and for reports. The numbers come from ``score``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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


def _interval(row: Row) -> str:
    if row.interval is None:
        return "-"
    low, high = row.interval
    return f"{100 * low:+.2f} .. {100 * high:+.2f}"


def _with_backup(row: Row) -> float | None:
    return None if row.with_backup is None else row.with_backup.overall_improvement


COLUMNS = (
    Column("Agent", lambda row: f"{row.agent} {row.agent_version}"),
    Column("Programs", lambda row: f"{row.programs:,}"),
    Column("Improved", lambda row: f"{row.improved:,}"),
    Column("Regressed", lambda row: f"{row.regressed:,}"),
    Column("Saved", lambda row: f"{row.instructions_saved:,}"),
    Column("Lost", lambda row: f"{row.instructions_regressed:,}"),
    Column("Over -Oz", lambda row: percent(row.overall_improvement)),
    Column("95 % interval", _interval),
    Column("With backup", lambda row: percent(_with_backup(row))),
    Column("Mean", lambda row: percent(row.mean_over_oz)),
    Column("Geomean", lambda row: _ratio(row.geomean_over_oz)),
    Column("Compilations", lambda row: f"{row.additional_compilations:,}"),
    Column("Seconds", lambda row: f"{row.seconds:,.1f}"),
    Column("Failed", lambda row: f"{row.failures + row.missing:,}"),
)
"""``Saved`` and ``Lost`` are in the unit of the task's metric."""

_LEGEND = """\
Over -Oz is the ranked score, `sum(Oz) / sum(new) - 1`, with a bootstrap interval over the programs.
With backup is the same score if -Oz were tried too and the smaller result kept. Mean is
`mean((Oz - new) / Oz)`, Geomean is `geomean(Oz / new)`, where 1 is as good as -Oz. Compilations are
those the agent spent beyond its answer. Failed counts missing runs and those without an answer.
"""


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def rows_table(rows: Sequence[Row], title: str = "") -> Table:
    """Return the rows as a table for a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for number, column in enumerate(COLUMNS):
        table.add_column(column.heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(column.cell(row) for column in COLUMNS))
    return table


def markdown_table(
    headings: Sequence[str], lines: Sequence[Sequence[str]], *, numeric: bool = False
) -> str:
    """Return a table in Markdown; if ``numeric``, all columns but the first are aligned right."""
    rule = ["---", *("---:" if numeric else "---" for _ in headings[1:])]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rule, *escaped))


def markdown_rows(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    headings = [column.heading for column in COLUMNS]
    cells = [[column.cell(row) for column in COLUMNS] for row in rows]
    return markdown_table(headings, cells, numeric=True)


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
    parts.append("## Settings\n\n" + markdown_table(("What", "Value"), list(facts.items())))
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
    return ["## Failed runs\n\n" + markdown_table(("Agent", "Program", "Error"), shown) + more]
