"""The meter of compilations: what an agent has spent on one program, and may still spend."""

from __future__ import annotations

import threading

from llmopt_bench.errors import BudgetSpent


class Meter:
    """Counts compilations and passes, and refuses to go over a budget.

    A compilation is one run of the compiler on behalf of the agent, whatever the length of its
    pass list. The count depends on no clock, so it is the same on every machine. Threads may
    share one meter.

    Args:
        budget: The most compilations that may be spent; None for no limit.

    Raises:
        ValueError: The budget is negative.
        TypeError: The budget is not an integer.

    Example:
        >>> meter = Meter(budget=10)
        >>> meter.spend(passes=3)
        >>> meter.remaining
        9
    """

    __slots__ = ("_budget", "_compilations", "_lock", "_passes")

    def __init__(self, budget: int | None = None) -> None:
        self._budget = None if budget is None else _count("budget", budget)
        self._compilations = 0
        self._passes = 0
        self._lock = threading.Lock()

    @property
    def budget(self) -> int | None:
        """The most compilations that may be spent; None for no limit."""
        return self._budget

    @property
    def compilations(self) -> int:
        """Compilations spent."""
        return self._compilations

    @property
    def passes(self) -> int:
        """Passes applied by these compilations."""
        return self._passes

    @property
    def remaining(self) -> int | None:
        """Compilations that may still be spent; None for no limit."""
        return None if self._budget is None else self._budget - self._compilations

    @property
    def exhausted(self) -> bool:
        """Whether not a single compilation is left."""
        return self._compilations == self._budget

    def spend(self, compilations: int = 1, passes: int = 0) -> None:
        """Charge compilations and passes, or charge nothing and raise.

        Call it before the work, so that nothing runs that is not paid for.

        Args:
            compilations: How many compilations to charge.
            passes: How many passes they apply in all.

        Raises:
            BudgetSpent: The budget does not hold that many; the meter is as before.
            ValueError: A count is negative.
            TypeError: A count is not an integer.
        """
        _count("compilations", compilations)
        _count("passes", passes)
        with self._lock:
            total = self._compilations + compilations
            if self._budget is not None and total > self._budget:
                raise BudgetSpent(
                    f"asked for {compilations} compilations, {self.remaining} of {self._budget} "
                    "are left. Answer with the best pass list found, or start with a larger "
                    "budget."
                )
            self._compilations = total
            self._passes += passes

    def take(self) -> int:
        """Charge one compilation of one pass, if one is left: what every step does.

        Returns:
            How many are left now; -1 if none was left and nothing was charged. Without a budget a
            positive number.
        """
        with self._lock:
            left = 2 if self._budget is None else self._budget - self._compilations
            if left > 0:
                self._compilations += 1
                self._passes += 1
            return left - 1

    def __repr__(self) -> str:
        limit = "no limit" if self._budget is None else self._budget
        return f"<Meter {self._compilations} compilations of {limit}, {self._passes} passes>"


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}. Convert it with int().")
    if value < 0:
        raise ValueError(f"{name} must be 0 or more, got {value}. Counts only go up.")
    return value
