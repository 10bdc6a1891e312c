"""Where things stand in the plot of improvement against compilations; templates draw it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LEAST_SPAN = 0.02
_CHARACTER_WIDTH = 7.4
_LINE_HEIGHT = 13.0
_RADIUS = 6.0
_INNER_MARGIN = 12.0
_LONGEST_LABEL = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run of an entry, as it is to be drawn."""

    agent: str
    page: str
    """Address of the agent's page."""
    kind: str
    budget: int
    spent: float
    """Additional compilations of a program, on average."""
    gain: float
    """Overall improvement, a fraction."""
    most: int
    """The most additional compilations of a program, which decides the tracks."""
    entry: int
    """The entry's number; points of one entry are joined."""
    ranked: bool
    """Only who is ranked can be on the front."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside a mark."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with its place in the picture."""

    point: Point
    x: float
    y: float
    on_front: bool
    cut: bool
    """It lies below the picture, and is drawn on its edge."""
    label: Label | None


class Tick(NamedTuple):
    """A place on an axis and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """All coordinates of the picture, from its upper left corner."""

    name: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    zero: float
    """Where -Oz stands."""
    marks: tuple[Mark, ...]
    lines: tuple[tuple[int, str], ...]
    """Number of an entry and the points of its line."""
    front: str
    """The points of the stairs that no run lies above."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        """Whether the two overlap."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


class _Axes:
    """The scales: compilations linear from 0 to 1 and logarithmic beyond; improvement linear."""

    def __init__(self, points: Sequence[Point], width: float, height: float) -> None:
        self.left, self.right, self.top, self.bottom = 52.0, width - 18.0, 14.0, height - 40.0
        decades = math.ceil(_scale(max([10.0, *(point.spent for point in points)])))
        self.decades = decades
        best = max([_LEAST_SPAN, *(point.gain for point in points)])
        worst = min([0.0, *(point.gain for point in points)])
        # What lies further below -Oz than the best lies above it would flatten everything else.
        self.step = _step((best - max(worst, -best)) / 5)
        self.high = math.ceil(best * 1.02 / self.step) * self.step
        # Always a step below -Oz: there is room for the labels of who is near it.
        self.low = math.floor((max(worst, -best) - self.step / 4) / self.step) * self.step

    def x(self, spent: float) -> float:
        start = self.left + _INNER_MARGIN
        return round(start + _scale(spent) / self.decades * (self.right - start), 1)

    def y(self, gain: float) -> float:
        share = (max(gain, self.low) - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)

    def x_ticks(self) -> Iterator[Tick]:
        yield Tick(self.x(0), "0")
        for decade in range(self.decades):
            yield Tick(self.x(10**decade), f"{10**decade:,}")

    def y_ticks(self) -> Iterator[Tick]:
        digits = max(0, -math.floor(math.log10(self.step * 100)))
        for place in range(round(self.low / self.step), round(self.high / self.step) + 1):
            text = f"{100 * place * self.step:+.{digits}f} %" if place else "-Oz"
            yield Tick(
                self.y(place * self.step), text.replace("-", "\N{MINUS SIGN}", int(place < 0))
            )


def front_of(points: Sequence[Point]) -> list[Point]:
    """Return the ranked points that no other beats: as good for less, or better for as much."""
    front: list[Point] = []
    ranked = (point for point in points if point.ranked)
    for point in sorted(ranked, key=lambda p: (p.spent, -p.gain, p.agent, p.budget)):
        if not front or point.gain > front[-1].gain:
            front.append(point)
    return front


def make_plot(name: str, points: Sequence[Point], width: float, height: float) -> Plot:
    """Return the picture of some points.

    Args:
        name: Prefix of what needs a name of its own in the page.
        points: The runs of all entries.
        width: Of the picture, in units of its text's pixels.
        height: Likewise.
    """
    axes = _Axes(points, width, height)
    front = front_of(points)
    return Plot(
        name=name,
        width=width,
        height=height,
        left=axes.left,
        right=axes.right,
        top=axes.top,
        bottom=axes.bottom,
        zero=axes.y(0),
        marks=tuple(_marks(points, front, axes)),
        lines=tuple(_lines(points, axes)),
        front=_stairs(front, axes),
        x_ticks=tuple(axes.x_ticks()),
        y_ticks=tuple(axes.y_ticks()),
    )


def _scale(spent: float) -> float:
    return spent if spent < 1 else 1 + math.log10(spent)


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, ... times a power of ten that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)


def _lines(points: Sequence[Point], axes: _Axes) -> Iterator[tuple[int, str]]:
    for entry in sorted({point.entry for point in points}):
        own = sorted((p for p in points if p.entry == entry), key=lambda p: (p.spent, p.budget))
        if len(own) > 1:
            yield entry, " ".join(f"{axes.x(p.spent)},{axes.y(p.gain)}" for p in own)


def _stairs(front: Sequence[Point], axes: _Axes) -> str:
    corners: list[tuple[float, float]] = []
    for point in front:
        x, y = axes.x(point.spent), axes.y(point.gain)
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    if corners:
        corners.append((axes.right, corners[-1][1]))
    return " ".join(f"{x},{y}" for x, y in corners)


def _marks(points: Sequence[Point], front: Sequence[Point], axes: _Axes) -> Iterator[Mark]:
    # The best choose the places of their labels first.
    ordered = sorted(points, key=lambda p: (p not in front, -p.gain, p.agent, p.budget))
    places = [(axes.x(p.spent), axes.y(p.gain)) for p in ordered]
    taken = [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for point, (x, y) in zip(ordered, places, strict=True):
        label = _label(point, x, y, axes, taken)
        yield Mark(point, x, y, point in front, point.gain < axes.low, label)


def _label(point: Point, x: float, y: float, axes: _Axes, taken: list[_Box]) -> Label | None:
    """Return the label at the first place where it covers nothing; None if there is none."""
    text = point.agent
    if len(text) > _LONGEST_LABEL:
        text = text[: _LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"
    for label, box in _candidates(text, x, y):
        inside = box.left >= axes.left and box.right <= axes.right + 14
        inside = inside and box.top >= 0 and box.bottom <= axes.bottom
        if inside and not any(box.meets(other) for other in taken):
            taken.append(box)
            return label
    return None


def _candidates(text: str, x: float, y: float) -> Iterator[tuple[Label, _Box]]:
    width, half = len(text) * _CHARACTER_WIDTH, _LINE_HEIGHT / 2
    for down in (0.0, -_LINE_HEIGHT, _LINE_HEIGHT):
        left, right = x - _RADIUS - 3, x + _RADIUS + 3
        middle = y + down
        base = round(middle + 4, 1)
        yield Label(left, base, "end", text), _Box(left - width, middle - half, left, middle + half)
        box = _Box(right, middle - half, right + width, middle + half)
        yield Label(right, base, "start", text), box
        if down:
            box = _Box(x - width / 2, middle - half, x + width / 2, middle + half)
            yield Label(x, base, "middle", text), box
