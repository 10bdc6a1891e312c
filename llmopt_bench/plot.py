"""Anytime curves as a picture (optional extra ``plot``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from llmopt_bench.datasets.optional import optional
from llmopt_bench.report import percent
from llmopt_bench.score_curve import AgentCurve

# Okabe and Ito's palette, which colour-blind people can tell apart, without the two colours that
# are lost on a white or on a black page. The background is left to the page.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#2A7DB8")
_DASHES = ("solid", "dashed", "dotted")
_GREY = "#808080"
_LEAST_SPAN = 0.02


def write_curves(path: Path, curves: Sequence[AgentCurve], title: str) -> None:
    """Write the curves as SVG; the same curves give the same bytes.

    The axis of compilations is logarithmic, and linear from 0 to 1. What lies further below -Oz
    than the best curve lies above it is cut off, or the start of every search would flatten it.

    Args:
        path: The file.
        curves: One line for each.
        title: What stands above.

    Raises:
        MissingTool: matplotlib is not installed.
    """
    matplotlib = optional("matplotlib", "plot")
    figure = optional("matplotlib.figure", "plot").Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    styles = zip(cycle(_COLOURS), (d for d in _DASHES for _ in _COLOURS), strict=False)
    by_result = sorted(curves, key=_final, reverse=True)
    runs = Counter(curve.agent for curve in curves)
    for curve, (colour, dash) in zip(by_result, cycle(styles), strict=False):
        points = zip(curve.compilations, curve.overall_improvement, strict=True)
        known = [(spent, 100 * gain) for spent, gain in points if gain is not None]
        budget = f" at {curve.budget:,}" if runs[curve.agent] > 1 else ""
        label = f"{curve.agent}{budget} {percent(curve.final)}"
        axes.step(*_axes_of(known), where="post", color=colour, linestyle=dash, label=label)
    _dress(axes, title)
    span = max(_LEAST_SPAN, max(map(_final, curves), default=0))
    axes.set_ylim(-100 * span, 105 * span)
    # Names inside the file are drawn at random unless they are salted.
    with matplotlib.rc_context({"svg.hashsalt": "llmopt-bench", "svg.fonttype": "none"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(path, format="svg", transparent=True, metadata=metadata)


def _final(curve: AgentCurve) -> float:
    return -1.0 if curve.final is None else curve.final


def _axes_of(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [spent for spent, _ in points], [gain for _, gain in points]


def _dress(axes: Any, title: str) -> None:
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.axhline(0, color=_GREY, linewidth=0.8)
    axes.grid(color=_GREY, alpha=0.25, linewidth=0.5)
    axes.set_title(title, color=_GREY)
    axes.set_xlabel("compilations per program", color=_GREY)
    axes.set_ylabel("overall improvement over -Oz, %", color=_GREY)
    axes.tick_params(colors=_GREY, which="both")
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    outside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
    axes.legend(**outside, frameon=False, labelcolor=_GREY)
