"""Where the plot puts things."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt_bench.board_plot import Label, Mark, Plot, Point, front_of, make_plot

WIDTH, HEIGHT = 760.0, 400.0


def point(spent: float, gain: float, **changes: Any) -> Point:
    values = {
        "agent": "a 1",
        "page": "agents/a-1.html",
        "kind": "search",
        "budget": 9,
        "entry": 0,
        "ranked": True,
    }
    return Point(**{**values, "spent": spent, "gain": gain, "most": int(spent), **changes})


def plot_of(*points: Point) -> Plot:
    return make_plot("wide", points, WIDTH, HEIGHT)


def mark_of(plot: Plot, spent: float, gain: float) -> Mark:
    (mark,) = (m for m in plot.marks if (m.point.spent, m.point.gain) == (spent, gain))
    return mark


def box_of(label: Label) -> tuple[float, float, float, float]:
    width = 7 * len(label.text)
    left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
    return left, label.y - 9, left + width, label.y + 2


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


points = st.builds(point, st.floats(0, 1e6), st.floats(-0.9, 3), entry=st.integers(0, 3))


class TestFront:
    def test_by_hand(self) -> None:
        free, dear, worse, best = point(0, 0.1), point(50, 0.1), point(5, 0.05), point(90, 0.2)
        assert front_of([best, worse, dear, free]) == [free, best]

    def test_who_is_not_ranked_is_not_on_it(self) -> None:
        apart, ranked = point(0, 0.5, ranked=False), point(5, 0.1)
        assert front_of([apart, ranked]) == [ranked]
        plot = plot_of(apart, ranked)
        assert not mark_of(plot, 0, 0.5).on_front
        assert mark_of(plot, 5, 0.1).on_front

    @given(st.lists(points, min_size=1))
    def test_nobody_on_it_is_beaten_and_everybody_else_is(self, given_points: list[Point]) -> None:
        front = front_of(given_points)
        for at in given_points:
            at_least_as_good = any(p.spent <= at.spent and p.gain >= at.gain for p in front)
            assert at_least_as_good
        for left, right in combinations(front, 2):
            assert left.spent < right.spent
            assert left.gain < right.gain


class TestScales:
    def test_no_compilation_at_all_has_a_place_and_decades_are_as_wide_as_each_other(self) -> None:
        plot = plot_of(*(point(spent, 0.1) for spent in (0, 1, 10, 100, 1000)))
        at = [mark_of(plot, spent, 0.1).x for spent in (0, 1, 10, 100, 1000)]
        steps = [right - left for left, right in pairwise(at)]
        assert steps == pytest.approx([steps[0]] * 4, abs=0.2)
        assert steps[0] > 50
        assert [tick.text for tick in plot.x_ticks] == ["0", "1", "10", "100", "1,000"]
        assert [tick.at for tick in plot.x_ticks] == at

    def test_better_is_higher_and_ticks_tell_how_much(self) -> None:
        plot = plot_of(point(1, 0.04), point(1, 0.0), point(1, -0.02))
        heights = [mark_of(plot, 1, gain).y for gain in (0.04, 0.0, -0.02)]
        assert heights == sorted(heights)
        assert heights[1] == plot.zero
        ticks = {tick.text: tick.at for tick in plot.y_ticks}
        assert ticks["+4 %"] == heights[0]
        assert ticks["-Oz"] == heights[1]
        assert ticks["\N{MINUS SIGN}2 %"] == heights[2]

    def test_who_is_far_below_is_drawn_on_the_edge_and_flattens_nobody(self) -> None:
        alone = plot_of(point(5, 0.05))
        plot = plot_of(point(5, 0.05), point(0, -0.6))
        low = mark_of(plot, 0, -0.6)
        assert low.cut
        assert low.y == plot.bottom
        assert not mark_of(plot, 5, 0.05).cut
        assert plot.zero - mark_of(plot, 5, 0.05).y > (alone.bottom - alone.top) / 4

    @given(st.lists(points, max_size=30))
    def test_everything_is_inside(self, given_points: list[Point]) -> None:
        plot = plot_of(*given_points)
        for mark in plot.marks:
            assert plot.left <= mark.x <= plot.right
            assert plot.top <= mark.y <= plot.bottom
        assert len(plot.marks) == len(given_points)
        assert [tick.text for tick in plot.y_ticks].count("-Oz") == 1


class TestLabels:
    def test_they_cover_neither_each_other_nor_marks(self) -> None:
        crowd = [point(50, 0.03 + n / 1000, agent=f"agent{n} 1", entry=n) for n in range(12)]
        plot = plot_of(*crowd)
        boxes = [box_of(mark.label) for mark in plot.marks if mark.label]
        assert len(boxes) > 3
        shapes = [(m.x - 5, m.y - 5, m.x + 5, m.y + 5) for m in plot.marks]
        for first, second in combinations(boxes, 2):
            assert not overlap(first, second)
        assert not [box for box in boxes for shape in shapes if overlap(box, shape)]

    def test_a_lone_point_has_one(self) -> None:
        (mark,) = plot_of(point(5, 0.05, agent="lonely 2")).marks
        assert mark.label is not None
        assert mark.label.text == "lonely 2"

    def test_a_long_name_is_cut(self) -> None:
        (mark,) = plot_of(point(5, 0.05, agent="x" * 120)).marks
        assert mark.label is not None
        assert len(mark.label.text) < 30


class TestLines:
    def test_runs_of_one_entry_are_joined_in_the_order_of_their_cost(self) -> None:
        plot = plot_of(point(100, 0.05), point(10, 0.02), point(10, 0.04, entry=1))
        marks = [mark_of(plot, 10, 0.02), mark_of(plot, 100, 0.05)]
        assert plot.lines == ((0, " ".join(f"{mark.x},{mark.y}" for mark in marks)),)

    def test_the_front_is_a_flight_of_stairs_to_the_right_edge(self) -> None:
        plot = plot_of(point(1, 0.01), point(10, 0.03), point(100, 0.02))
        low, high = mark_of(plot, 1, 0.01), mark_of(plot, 10, 0.03)
        corners = [(low.x, low.y), (high.x, low.y), (high.x, high.y), (plot.right, high.y)]
        assert plot.front == " ".join(f"{x},{y}" for x, y in corners)

    def test_without_points_there_are_axes_only(self) -> None:
        plot = plot_of()
        assert (plot.marks, plot.lines, plot.front) == ((), (), "")
        assert plot.x_ticks
