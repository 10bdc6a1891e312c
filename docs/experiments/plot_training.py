"""Draws what trainings of ``llmopt-bench train llm`` wrote of functions of unseen packages.

Runs that go on from one another are one line, joined by commas in their order; a dot is the end of
a run. Needs the extra ``plot``.

    python docs/experiments/plot_training.py OUT.svg NAME=RUN,RUN,RUN NAME=RUN
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PANELS = {
    "validation_list_loss": ("loss of the lists", 1),
    "validation_improvement": ("over -Oz of the list that is chosen, %", 100),
}
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#2A7DB8")
GREY = "#808080"


@dataclass
class Line:
    """Points of one chain of runs: millions of tokens, and values by name."""

    tokens: list[float]
    values: dict[str, list[float]]
    ends: list[int]


def read_chain(runs: list[Path]) -> Line:
    """Return the points of runs that go on from one another."""
    line = Line([], {name: [] for name in PANELS}, [])
    before = 0.0
    for run in runs:
        # Kept by step: the log of a run that was resumed has some steps twice.
        steps: dict[int, dict[str, Any]] = {}
        for text in (run / "train.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(text)
            steps.setdefault(row["step"], {}).update(row)
        reached = max((step, row["tokens"]) for step, row in steps.items() if "tokens" in row)
        each = reached[1] / reached[0]
        for step, row in sorted(steps.items()):
            if "validation_list_loss" not in row:
                continue
            line.tokens.append((before + step * each) / 1e6)
            for name, (_, scale) in PANELS.items():
                line.values[name].append(scale * row[name])
        if not line.tokens or len(line.tokens) - 1 in line.ends:
            raise SystemExit(f"error: {run} has no validation in its train.jsonl.")
        line.ends.append(len(line.tokens) - 1)
        before += max(steps) * each
    return line


def draw(lines: dict[str, Line], path: Path) -> None:
    """Write one panel for each value, the same bytes for the same points."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for axes, (name, (title, _)) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        for (label, line), colour in zip(lines.items(), COLOURS, strict=False):
            values = line.values[name]
            axes.plot(
                line.tokens, values, color=colour, label=label, marker="o", markevery=line.ends
            )
        axes.set_title(title, color=GREY)
        axes.set_xlabel("million tokens", color=GREY)
        axes.grid(color=GREY, alpha=0.25, linewidth=0.5)
        axes.tick_params(colors=GREY)
        for spine in axes.spines.values():
            spine.set_color(GREY)
    axes.legend(frameon=False, labelcolor=GREY)
    with mpl.rc_context({"svg.hashsalt": "llmopt-bench", "svg.fonttype": "none"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(path, format="svg", transparent=True, metadata=metadata)


def main() -> None:
    """Read the runs and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("chains", nargs="+", metavar="NAME=RUN,RUN")
    given = parser.parse_args()
    if len(given.chains) > len(COLOURS):
        parser.error(f"at most {len(COLOURS)} lines can be told apart")
    chains = (chain.partition("=") for chain in given.chains)
    draw({name: read_chain([*map(Path, runs.split(","))]) for name, _, runs in chains}, given.out)


if __name__ == "__main__":
    main()
