"""The formulas of the scores by hand, and what the bootstrap says of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench.errors import BadRecord
from llmopt_bench.formulas import (
    bootstrap_interval,
    difference_interval,
    geomean_over_oz,
    mean_over_oz,
    overall_improvement,
    scaled_reduction,
)

COUNTS = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=20)


class TestFormulas:
    def test_by_hand(self) -> None:
        oz, new = [100, 10], [80, 20]
        assert overall_improvement(oz, new) == pytest.approx(110 / 100 - 1)
        assert mean_over_oz(oz, new) == pytest.approx((0.2 - 1.0) / 2)
        assert geomean_over_oz(oz, new) == pytest.approx(math.sqrt(1.25 * 0.5))
        scaled = scaled_reduction([200, 30], oz, new)
        assert scaled.value == pytest.approx(math.sqrt(120 / 100 * 10 / 20))
        assert scaled.left_out == 0

    def test_oz_itself_is_the_origin_of_every_scale(self) -> None:
        oz = [7, 130, 2]
        assert overall_improvement(oz, oz) == 0
        assert mean_over_oz(oz, oz) == 0
        assert geomean_over_oz(oz, oz) == pytest.approx(1)
        assert scaled_reduction([9, 200, 5], oz, oz).value == pytest.approx(1)

    def test_zero_counts_as_one_where_it_would_divide(self) -> None:
        assert overall_improvement([0], [0]) == 0
        assert overall_improvement([5], [0]) == 4
        assert mean_over_oz([0, 4], [0, 2]) == 0.25
        assert mean_over_oz([0], [3]) == -3
        assert geomean_over_oz([0], [0]) == 1
        assert geomean_over_oz([0], [4]) == 0.25
        assert geomean_over_oz([4], [0]) == pytest.approx(4)

    def test_scaled_reduction_leaves_out_what_has_no_scale(self) -> None:
        assert scaled_reduction([10, 5, 4], [6, 5, 6], [8, 1, 1]) == (0.5, 2)
        assert scaled_reduction([5], [5], [3]) == (None, 1)

    @pytest.mark.parametrize("new", [10, 11])
    def test_scaled_reduction_is_zero_if_a_program_did_not_shrink(self, new: int) -> None:
        assert scaled_reduction([10, 10], [6, 6], [4, new]) == (0.0, 0)

    def test_large_totals_do_not_overflow(self) -> None:
        assert overall_improvement([2**33] * 4, [2**32] * 4) == 1

    @pytest.mark.parametrize("formula", [overall_improvement, mean_over_oz, geomean_over_oz])
    def test_needs_counts_of_the_same_programs(self, formula: Any) -> None:
        with pytest.raises(BadRecord, match="at least one"):
            formula([], [])
        with pytest.raises(BadRecord, match="same programs"):
            formula([1, 2], [1])
        with pytest.raises(BadRecord, match="same programs"):
            scaled_reduction([1], [1], [])

    @given(COUNTS)
    @settings(max_examples=100, deadline=None)
    def test_fewer_instructions_never_score_lower(self, counts: list[tuple[int, int]]) -> None:
        oz, new = zip(*counts, strict=True)
        smaller = [max(count - 1, 1) for count in new]
        assert overall_improvement(oz, smaller) >= overall_improvement(oz, new)
        assert mean_over_oz(oz, smaller) >= mean_over_oz(oz, new)
        assert geomean_over_oz(oz, smaller) >= geomean_over_oz(oz, new) - 1e-12


class TestBootstrap:
    OZ = tuple(range(50, 150))
    NEW = tuple(count - (count * 7) % 11 for count in OZ)

    def test_is_seeded(self) -> None:
        first = bootstrap_interval(self.OZ, self.NEW, seed=1)
        assert bootstrap_interval(self.OZ, self.NEW, seed=1) == first
        assert bootstrap_interval(self.OZ, self.NEW, seed=2) != first

    def test_holds_the_score_and_widens_with_the_level(self) -> None:
        low, high = bootstrap_interval(self.OZ, self.NEW)
        assert low < overall_improvement(self.OZ, self.NEW) < high
        wider = bootstrap_interval(self.OZ, self.NEW, level=0.99)
        assert wider[0] < low < high < wider[1]

    def test_agrees_with_the_normal_approximation(self) -> None:
        # Programs of one size: the score is then a function of a plain mean, with a known error.
        new = [80 if number % 2 else 100 for number in range(400)]
        low, high = bootstrap_interval([100] * 400, new, resamples=4000)
        half_width = 1.96 * 10 / math.sqrt(400)
        assert low == pytest.approx(100 / (90 + half_width) - 1, abs=0.002)
        assert high == pytest.approx(100 / (90 - half_width) - 1, abs=0.002)

    def test_equal_programs_leave_no_doubt(self) -> None:
        low, high = bootstrap_interval([10] * 5, [8] * 5)
        assert low == high == pytest.approx(0.25)

    def test_needs_two_programs(self) -> None:
        with pytest.raises(BadRecord, match="two programs"):
            bootstrap_interval([10], [9])

    def test_large_sets_are_drawn_in_parts(self) -> None:
        size = 60_000
        low, high = bootstrap_interval([10] * size, [9, 11] * (size // 2), resamples=50)
        assert -0.002 < low < 0 < high < 0.002


class TestDifference:
    def test_by_hand_where_every_sample_is_the_same(self) -> None:
        first, second = {"a": (10, 5), "b": (10, 5)}, {"b": (10, 8), "a": (10, 8)}
        assert difference_interval(first, second) == pytest.approx((0.75, 0.75))
        assert difference_interval(second, first) == pytest.approx((-0.75, -0.75))

    def test_programs_are_matched_by_name(self) -> None:
        first = {"a": (10, 5), "b": (100, 80)}
        assert difference_interval(first, dict(reversed(first.items()))) == (0, 0)

    def test_is_of_pairs(self) -> None:
        # Far apart among the programs, and always 1 % apart on the same one.
        first = {f"p{n}": (1000, 500 + 5 * n) for n in range(100)}
        second = {name: (oz, round(1.01 * new)) for name, (oz, new) in first.items()}
        low, high = difference_interval(first, second)
        assert 0 < low < high
        one, two = (bootstrap_interval(*zip(*t.values(), strict=True)) for t in (first, second))
        assert two[1] > one[0]

    def test_agrees_with_the_normal_approximation(self) -> None:
        # One is level, the other a coin's throw around it: the error is that of the mean throw.
        first = {f"p{n}": (1000, 1000) for n in range(400)}
        second = {f"p{n}": (1000, 1050 if n % 2 else 950) for n in range(400)}
        low, high = difference_interval(first, second, resamples=4000)
        assert (low, high) == pytest.approx((-1.96 * 0.05 / 20, 1.96 * 0.05 / 20), rel=0.1)

    def test_runs_may_differ_in_number(self) -> None:
        once = {"a": (10, 5), "b": (20, 8)}
        thrice = {name: (3 * oz, 3 * new) for name, (oz, new) in once.items()}
        assert difference_interval(once, thrice) == pytest.approx((0, 0), abs=1e-12)

    def test_needs_the_same_programs(self) -> None:
        with pytest.raises(BadRecord, match="got b from one"):
            difference_interval({"a": (1, 1), "b": (1, 1)}, {"a": (1, 1)})
        with pytest.raises(BadRecord, match="at least one"):
            difference_interval({}, {})
