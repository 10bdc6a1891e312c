"""The bootstrap: how far a number depends on which programs it was computed from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_CELLS_AT_A_TIME = 1 << 21
_CELLS_TO_KEEP = 1 << 24


def resampled_sums(
    columns: Sequence[NDArray[np.int64]], *, seed: int, resamples: int
) -> NDArray[np.int64]:
    """Return the sums of columns over samples of their rows, drawn with replacement.

    Columns are summed over the same samples, and so are those of a later call with the same seed
    and length: what one sample flatters it flatters in all of them.

    Args:
        columns: Columns of one length, at least 1; a row is a program.
        seed: Seed of the generator.
        resamples: How many samples to draw, each of as many rows as there are.

    Returns:
        One row for each sample, one column for each of ``columns``.
    """
    table = np.stack(columns, axis=1)
    size = len(table)
    keep = size * resamples <= _CELLS_TO_KEEP
    samples = _kept(size, seed, resamples) if keep else _samples(size, seed, resamples)
    return np.concatenate([sample.astype(np.int64) @ table for sample in samples])


def percentile_interval(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the interval that holds the middle ``level`` of the values."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _samples(size: int, seed: int, resamples: int) -> Iterator[NDArray[np.uint16]]:
    """Yield parts of a matrix: how often each sample, a row, has drawn each program."""
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_A_TIME // size)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, size, (rows, size))
        drawn += size * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * size)
        yield counts.astype(np.uint16).reshape(rows, size)


# A board asks for the same samples for every agent, and drawing them takes the most time.
@functools.lru_cache(maxsize=1)
def _kept(size: int, seed: int, resamples: int) -> tuple[NDArray[np.uint16], ...]:
    return tuple(_samples(size, seed, resamples))
