"""The commands that make something else of records: merge, labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmopt_bench.cli_console import Json, print_json

_SHOWN_PASSES = 10


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(merge)
    app.command()(labels)


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs of one task.")],
    out: Annotated[Path, typer.Option(help="New folder for the records of all.")],
) -> None:
    """Make one run of several: of other programs, agents or seeds.

    Equal records of the same run are one; records that contradict each other are an error.
    """
    from llmopt_bench.merge import merge_runs

    count = merge_runs(runs, out)
    typer.echo(f"{count:,} records in {out}")


def labels(
    paths: Annotated[list[Path], typer.Argument(help="Files of records, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    as_json: Json = False,
) -> None:
    """Write the best known pass list of each program as Parquet, to learn from."""
    from llmopt_bench.labels import LabelSummary, labels_of, write_labels
    from llmopt_bench.record import read_records
    from llmopt_bench.report import percent

    found = labels_of(record for path in paths for record in read_records(path))
    write_labels(out, found)
    summary = LabelSummary()
    for label in found:
        summary.add(label)
    frequent = summary.passes.most_common(_SHOWN_PASSES)
    if as_json:
        print_json(
            {
                "programs": summary.programs,
                "improved": summary.improved,
                "overall_improvement": summary.gain,
                "passes": dict(frequent),
            }
        )
        return
    names = ", ".join(f"{name} ({count:,})" for name, count in frequent)
    typer.echo(
        f"{summary.programs:,} programs, {percent(summary.gain)} over -Oz, "
        f"{summary.improved:,} improved; most frequent: {names or 'no pass'}"
    )
