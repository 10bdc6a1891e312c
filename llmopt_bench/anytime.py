"""The anytime curve: the best value that an environment has shown, against compilations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmopt_bench.passes import PassList

Listener = Callable[[int, int], object]
"""Called with the compilations and the value of each improvement."""

MAX_POINTS = 4096
"""The most points that a curve keeps, and a record holds."""


class Curve:
    """Keeps the improvements of one search on one program.

    The environment notes what it shows to the agent, so that agents need not, and cannot forget.
    Threads may share one curve.

    Args:
        initial: The value of the unoptimised program, which nobody has to compile.

    Example:
        >>> curve = Curve(initial=90)
        >>> curve.note(1, 70)
        >>> curve.note(2, 75)
        >>> curve.points
        ((0, 90), (1, 70))
    """

    __slots__ = ("_lock", "_points", "best", "listener", "pass_list")

    def __init__(self, initial: int) -> None:
        self.best = initial
        """The smallest value so far; steps of environments compare with it in every step."""
        self.pass_list: PassList | None = None
        """The list that gave it; None for no list, or if that is not known."""
        self.listener: Listener | None = None
        self._points = [(0, initial)]
        self._lock = threading.Lock()

    @property
    def points(self) -> tuple[tuple[int, int], ...]:
        """``(compilations, value)`` of each improvement: the one goes up, the other down."""
        return tuple(self._points)

    def note(self, compilations: int, value: int, pass_list: PassList | None = None) -> None:
        """Keep a value if it is smaller than all before it.

        Args:
            compilations: The place of its compilation on the meter. What was free of charge, at
                0, is not part of a search and is not kept.
            value: What the environment has shown.
            pass_list: The list that gives this value.
        """
        if value >= self.best or compilations < 1:
            return
        with self._lock:
            if value >= self.best:
                return
            self.best, self.pass_list = value, pass_list
            # A slower thread may come with an earlier place, and then makes the later ones void.
            self._points = [point for point in self._points if point[0] < compilations]
            self._points.append((compilations, value))
            if len(self._points) > MAX_POINTS:
                # A coarser curve shows each value later than it came: it flatters nobody.
                del self._points[1:-1:2]
        if self.listener is not None:
            self.listener(compilations, value)

    def __repr__(self) -> str:
        return f"<Curve {len(self._points)} points, best {self.best}>"
