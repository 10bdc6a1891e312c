"""Anytime curves of agents, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from test_score import record

from llmopt_bench.errors import BadRecord
from llmopt_bench.formulas import overall_improvement
from llmopt_bench.score import rows_of
from llmopt_bench.score_curve import anytime, anytime_area, fine_ticks, ticks


def run(program: str, oz: int, new: int | None, *points: tuple[int, int], **changes: Any) -> Any:
    """Return a record with a curve from 2 oz on; the last point is the last compilation."""
    curve = ((0, 2 * oz), *points) if points else ()
    spent = points[-1][0] if points else 0
    return record(
        program, oz, new, **({"curve": curve, "additional_compilations": spent} | changes)
    )


def test_a_run_counts_with_the_best_shown_by_then() -> None:
    records = [
        run("a", 100, 80, (1, 110), (4, 90), (6, 80)),
        run("b", 50, 45, (2, 50), (9, 45)),
    ]
    (curve,) = anytime(records, [0, 1, 2, 5, 8, 9, 100])
    shown = [(200, 100), (110, 100), (110, 50), (90, 50), (80, 50), (80, 45), (80, 45)]
    expected = [overall_improvement([100, 50], pair) for pair in shown]
    assert curve.overall_improvement == pytest.approx(tuple(expected))
    assert (curve.runs, curve.failures) == (2, 0)


def test_it_ends_where_the_score_is() -> None:
    # The answer need not be the best that was shown: it may have been settled to a larger one.
    records = [run("a", 100, 95, (3, 90), additional_compilations=7)]
    (curve,) = anytime(records, [3, 6, 7])
    assert curve.overall_improvement[:2] == pytest.approx((100 / 90 - 1,) * 2)
    assert curve.overall_improvement[2] == rows_of(records)[0].overall_improvement


def test_an_agent_that_compiles_nothing_is_a_level_line() -> None:
    (curve,) = anytime([run("a", 100, 80)], [0, 10])
    assert curve.overall_improvement == (0.25, 0.25)


def test_a_curve_ends_at_the_budget_of_its_runs() -> None:
    short = [run("a", 100, 80, (3, 80), budget=10), run("b", 100, 100, budget=10)]
    long = run("a", 100, 50, (15, 50), agent="longer", budget=20)
    gone_on, ended = anytime([*short, long])
    assert ended.compilations == (0, 1, 2, 5, 10, 20)
    assert ended.overall_improvement[3:] == pytest.approx((200 / 180 - 1, 200 / 180 - 1, None))
    assert ended.final == pytest.approx(200 / 180 - 1)
    assert gone_on.final == 1.0


def test_failed_runs_are_in_no_sum() -> None:
    records = [run("a", 100, 80), run("b", 100, None, (1, 10))]
    (curve,) = anytime(records, [5])
    assert (curve.runs, curve.failures, curve.overall_improvement) == (1, 1, (0.25,))
    (curve,) = anytime(records[1:], [5])
    assert curve.overall_improvement == (None,)


def test_records_without_a_curve_say_nothing_before_their_end() -> None:
    old = run("a", 100, 80, additional_compilations=4, schema=1)
    (curve,) = anytime([old, run("b", 100, 80, (1, 80))], [0, 3, 4])
    assert curve.overall_improvement == (None, None, 0.25)


def test_agents_apart_and_named() -> None:
    records = [run("a", 100, 80, agent="z"), run("a", 100, 50, agent="b")]
    first, second = anytime(records, [1])
    assert [first.agent, second.agent] == ["b", "z"]
    assert first.to_json()["overall_improvement"] == (1.0,)


def test_records_of_two_tasks_are_refused() -> None:
    with pytest.raises(BadRecord, match="one task"):
        anytime([run("a", 100, 80), run("a", 100, 80, task="other")])


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (0, [0]),
        (1, [0, 1]),
        (20, [0, 1, 2, 5, 10, 20]),
        (1300, [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1300]),
    ],
)
def test_ticks(budget: int, expected: list[int]) -> None:
    assert list(ticks(budget)) == expected
    assert anytime([run("a", 100, 80, budget=budget)])[0].compilations == tuple(expected)


@pytest.mark.parametrize("budget", [0, 1, 7, 1000, 10**6])
def test_fine_ticks_rise_from_nothing_to_the_budget(budget: int) -> None:
    fine = fine_ticks(budget)
    assert (fine[0], fine[-1]) == (0, budget)
    assert list(fine) == sorted(set(fine))
    assert len(fine) <= 201


class TestArea:
    def test_by_hand(self) -> None:
        # Both together: 290 at 1, 170 from 2 on, 120 from 8 on; the axis is log2 for the eye.
        records = [run("a", 100, 70, (2, 80), (8, 70)), run("b", 50, 50, (1, 90), (8, 50))]
        heights = [overall_improvement([150], [new]) for new in (290, 170, 120)]
        shares = [math.log2(2), math.log2(8 / 2), math.log2(32 / 8)]
        expected = sum(h * s for h, s in zip(heights, shares, strict=True)) / 5
        assert anytime_area(records, 32) == pytest.approx(expected)
        expected = (heights[0] + heights[1]) / 2
        assert anytime_area(records, 4) == pytest.approx(expected)

    def test_is_the_mean_height_of_the_curve(self) -> None:
        records = [run("a", 100, 80, (1, 110), (4, 90), (60, 80)), run("b", 50, 45, (9, 45))]
        every = [0.01 * step for step in range(1, 461)]
        (curve,) = anytime(records, [int(math.exp(place)) for place in every])
        known = [gain for gain in curve.overall_improvement if gain is not None]
        mean = sum(known) / len(every)
        assert anytime_area(records, 100) == pytest.approx(mean, abs=0.01)

    def test_what_is_there_at_once_is_the_whole_area(self) -> None:
        assert anytime_area([run("a", 100, 80)], 10) == pytest.approx(0.25)
        assert anytime_area([run("a", 100, 80, (1, 80))], 10) == pytest.approx(0.25)

    def test_sooner_is_larger_and_what_comes_after_the_end_is_nothing(self) -> None:
        areas = [
            anytime_area([run("a", 100, 80, (spent, 80))], 10) or 0 for spent in (2, 5, 10, 99)
        ]
        assert areas[0] > areas[1] > areas[2] == areas[3] == pytest.approx(-0.5)

    def test_the_answer_may_be_larger_than_what_was_shown(self) -> None:
        records = [run("a", 100, 100, (2, 50), additional_compilations=4)]
        assert anytime_area(records, 8) == pytest.approx((-0.5 + 1 + 0) / 3)

    @pytest.mark.parametrize("end", [0, 1])
    def test_there_is_none_without_a_width(self, end: int) -> None:
        assert anytime_area([run("a", 100, 80)], end) is None

    def test_there_is_none_for_records_without_a_curve(self) -> None:
        old = run("a", 100, 80, additional_compilations=4, schema=1)
        assert anytime_area([old, run("b", 100, 80)], 10) is None
        assert anytime_area([], 10) is None
