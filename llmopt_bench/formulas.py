"""The formulas of the scores: the only place of this library where they stand.

- overall improvement, ranked: ``sum(Oz) / sum(new) - 1`` (Cummins et al., arXiv 2309.07062)
- mean over Oz: ``mean((Oz - new) / Oz)`` (Coreset-NVP, Compiler-R1, GRACE)
- geomean over Oz: ``geomean(Oz / new)`` (CompilerGym's autotuning, Coreset-NVP)
- scaled reduction: ``geomean((O0 - new) / (O0 - Oz))`` (CompilerGym's public leaderboard)

Only the first one reproduces the table of 2309.07062: with sum(Oz) = 645,773, 21,935 saved and
3,095 regressed it gives the published 3.01 %, where (sum(Oz) - sum(new)) / sum(Oz) gives 2.92 %.

Two conventions make every formula total. A divisor of zero counts as one, and so does a zero under
a geometric mean: a module without instructions has no ratio otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmopt_bench.bootstrap import percentile_interval, resampled_sums
from llmopt_bench.errors import BadRecord


class ScaledReduction(NamedTuple):
    """The scaled reduction, and how many programs it says nothing about."""

    value: float | None
    """None if every program was left out."""
    left_out: int
    """Programs that -Oz does not shrink, for which the scale has no length."""


def overall_improvement(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return sum(Oz) / sum(new) - 1, the ranked score (2309.07062, Tables III and IV)."""
    oz_counts, new_counts = _columns(oz, new)
    return float(_overall(oz_counts.sum(), new_counts.sum()))


def mean_over_oz(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return mean((Oz - new) / Oz), where every program weighs the same (Coreset-NVP)."""
    oz_counts, new_counts = _columns(oz, new)
    return float(np.mean((oz_counts - new_counts) / np.maximum(oz_counts, 1)))


def geomean_over_oz(oz: Sequence[int], new: Sequence[int]) -> float:
    """Return geomean(Oz / new), where 1 is as good as -Oz (CompilerGym's autotuning)."""
    oz_counts, new_counts = _columns(oz, new)
    ratios = np.log(np.maximum(oz_counts, 1)) - np.log(np.maximum(new_counts, 1))
    return float(np.exp(ratios.mean()))


def scaled_reduction(
    initial: Sequence[int], oz: Sequence[int], new: Sequence[int]
) -> ScaledReduction:
    """Return geomean((O0 - new) / (O0 - Oz)), where 1 is as good as -Oz (CompilerGym's board).

    Programs that -Oz does not shrink (O0 <= Oz) are left out and counted. A program that the
    answer does not shrink (new >= O0) is a factor of zero, and so makes the whole value zero.
    """
    initial_counts, oz_counts, new_counts = _columns(initial, oz, new)
    scale = initial_counts - oz_counts
    kept = scale > 0
    left_out = len(kept) - int(kept.sum())
    if not kept.any():
        return ScaledReduction(None, left_out)
    factors = np.maximum(initial_counts - new_counts, 0)[kept] / scale[kept]
    value = float(np.exp(np.log(factors).mean())) if factors.all() else 0.0
    return ScaledReduction(value, left_out)


def bootstrap_interval(
    oz: Sequence[int],
    new: Sequence[int],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return a percentile bootstrap interval of the overall improvement.

    Programs are drawn with replacement, so it says how far the score depends on their choice.

    Args:
        oz: For each program, its metric under -Oz, summed over the runs on it: runs on one
            program are not independent of each other.
        new: For each program, its metric under the answer, summed likewise.
        seed: Seed of the generator; the same seed gives the same interval.
        resamples: How many samples to draw.
        level: Share of the samples that lie in the interval.

    Raises:
        BadRecord: There are fewer than two programs, or the sequences differ in length.
    """
    oz_counts, new_counts = _columns(oz, new)
    size = len(oz_counts)
    if size < 2:
        raise BadRecord("an interval needs at least two programs, got one. Run on more.")
    sums = resampled_sums((oz_counts, new_counts), seed=seed, resamples=resamples)
    return percentile_interval(_overall(*sums.T), level)


def difference_interval(
    first: Mapping[str, tuple[int, int]],
    second: Mapping[str, tuple[int, int]],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return a bootstrap interval of how much the overall improvement of one is above another's.

    Each sample holds the same programs for both. What makes a program easy is then in both scores
    and not in their difference, which two intervals that overlap would not tell.

    Args:
        first: ``program_totals`` of one agent.
        second: Those of another, on the same programs.
        seed: Seed of the generator; the same seed gives the same interval.
        resamples: How many samples to draw.
        level: Share of the samples that lie in the interval.

    Raises:
        BadRecord: They are not of the same programs, or of none.
    """
    if first.keys() != second.keys():
        odd = min(first.keys() ^ second.keys())
        raise BadRecord(f"expected both on the same programs, got {odd} from one. Leave it out.")
    ordered = sorted(first)
    columns = _columns(
        *(
            [totals[program][place] for program in ordered]
            for totals in (first, second)
            for place in (0, 1)
        )
    )
    sums = resampled_sums(columns, seed=seed, resamples=resamples).T
    return percentile_interval(_overall(*sums[:2]) - _overall(*sums[2:]), level)


def _overall(oz_sum: Any, new_sum: Any) -> Any:
    return np.maximum(oz_sum, 1) / np.maximum(new_sum, 1) - 1


def _columns(*columns: Sequence[int]) -> tuple[NDArray[np.int64], ...]:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise BadRecord(f"expected counts of the same programs, got {lengths} of them. Align them.")
    if not lengths[0]:
        raise BadRecord("a score needs at least one program, got none. Run an agent first.")
    return tuple(np.asarray(column, dtype=np.int64) for column in columns)
