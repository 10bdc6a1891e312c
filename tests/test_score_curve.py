"""Anytime curves of agents, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from test_score import record

from llmopt_bench.errors import BadRecord
from llmopt_bench.score import overall_improvement, rows_of
from llmopt_bench.score_curve import anytime, fine_ticks, ticks


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
