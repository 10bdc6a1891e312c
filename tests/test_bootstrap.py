"""Samples of programs: seeded, of the right size, the same for all who are compared."""

from __future__ import annotations

import numpy as np
import pytest

from llmopt_bench import bootstrap
from llmopt_bench.bootstrap import percentile_interval, resampled_sums


def counts(size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(size, dtype=np.int64)


def test_each_sample_is_as_large_as_the_set() -> None:
    ones = np.ones(7, dtype=np.int64)
    sums = resampled_sums([ones, counts(7)], seed=0, resamples=50)
    assert sums.shape == (50, 2)
    assert set(sums[:, 0]) == {7}
    assert len(set(sums[:, 1])) > 10
    assert sums[:, 1].mean() == pytest.approx(7 * 3, rel=0.1)


def test_columns_and_calls_get_the_same_samples() -> None:
    both = resampled_sums([counts(9), counts(9) ** 2], seed=3, resamples=20)
    alone = resampled_sums([counts(9) ** 2], seed=3, resamples=20)
    assert (both[:, 1] == alone[:, 0]).all()
    assert (resampled_sums([counts(9)], seed=4, resamples=20)[:, 0] != both[:, 0]).any()


def test_samples_are_the_same_whether_they_are_kept_or_drawn_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = resampled_sums([counts(11)], seed=5, resamples=40)
    monkeypatch.setattr(bootstrap, "_CELLS_TO_KEEP", 0)
    monkeypatch.setattr(bootstrap, "_CELLS_AT_A_TIME", 60)
    assert (resampled_sums([counts(11)], seed=5, resamples=40) == kept).all()


def test_samples_are_the_same_everywhere() -> None:
    # NumPy does not promise it. Should this fail with a new version, published intervals and ranks
    # would change: make the pages again with `llmopt-bench board` and say so.
    sums = resampled_sums([counts(100) ** 2], seed=0, resamples=4)[:, 0]
    assert sums.tolist() == [334_893, 397_247, 346_068, 354_123]


def test_sums_are_exact_in_64_bits() -> None:
    large = np.full(3, 2**53 + 1, dtype=np.int64)
    assert set(resampled_sums([large], seed=0, resamples=5)[:, 0]) == {3 * (2**53 + 1)}


def test_the_interval_holds_the_middle() -> None:
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5, 95))
