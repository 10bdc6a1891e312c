"""The command about anytime curves: curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmopt_bench.cli_console import Json, grid, print_json, print_table
from llmopt_bench.cli_run import Paths, read_all

if TYPE_CHECKING:
    from llmopt_bench.score_curve import AgentCurve


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(curve)


def curve(
    paths: Paths,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the curves, as SVG.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what each agent had reached after 0, 1, 2, 5, ... compilations per program.

    From records alone; needs no compiler. The numbers are the overall improvement over -Oz of all
    programs together. A dash: the records do not say (older ones have no curve), or the agent had
    no such budget.
    """
    from llmopt_bench.score_curve import anytime, fine_ticks

    records = read_all(paths)
    curves = anytime(records)
    if svg is not None:
        from llmopt_bench.plot import write_curves

        dense = fine_ticks(max(record.budget for record in records))
        write_curves(svg, anytime(records, dense), records[0].task)
    if as_json:
        print_json({"task": records[0].task, "curves": [line.to_json() for line in curves]})
    else:
        _show(curves)


def _show(curves: list[AgentCurve]) -> None:
    from llmopt_bench.report import percent

    several = len({line.budget for line in curves}) > 1
    budget = ["Budget"] if several else []
    spents = [f"{spent:,}" for spent in curves[0].compilations]
    headings = ["Agent", *budget, "Runs", "Failed", *spents]
    rows = [
        [
            f"{line.agent} {line.agent_version}",
            *([line.budget] if several else []),
            line.runs,
            line.failures,
            *map(percent, line.overall_improvement),
        ]
        for line in curves
    ]
    print_table(grid(headings, rows))
