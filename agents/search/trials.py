"""Trials: what the searches share. Lists are evaluated once each, and the best one is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmopt_bench import PassList, PassOrderEnv

FAILED = 2**62
"""The value of a list on which LLVM fails: larger than that of any list that works."""

_BARREN = 200
"""So many calls in a row that ask for nothing new: the search goes round in circles."""


class Trials:
    """Evaluates pass lists for a search, within the budget of its environment.

    A list that was tried before is known, and costs nothing again. Ties for the best list go to
    the shorter one, then to the earlier one; the empty list is known from the start.

    Args:
        env: The environment that pays.
        patience: End after this many lists without a better one; None for no such end.

    Raises:
        ValueError: There is neither a budget nor a patience.
    """

    def __init__(self, env: PassOrderEnv, patience: int | None = None) -> None:
        if env.meter.budget is None and patience is None:
            raise ValueError("this search needs a budget or a patience, or it would never end")
        self.best = PassList([], env.action_set)
        """The best list so far."""
        self.value = env.initial
        """What the best list makes of the program."""
        self._env = env
        self._patience = patience
        self._known = {self.best.names: self.value}
        self._idle = 0
        self._barren = 0
        self._end: int | None = None

    @property
    def room(self) -> int:
        """How many new lists can be tried now."""
        meter = self._env.meter
        limits = [
            meter.remaining,
            None if self._patience is None else self._patience - self._idle,
            None if self._end is None else self._end - meter.compilations,
        ]
        return min(limit for limit in limits if limit is not None)

    @property
    def over(self) -> bool:
        """Whether the search has to end, or gets nowhere."""
        return self.room <= 0 or self._barren >= _BARREN

    def allow(self, compilations: int) -> None:
        """Begin a phase of the search that may spend so many compilations, if the budget does."""
        self._end = self._env.meter.compilations + compilations
        self._barren = 0

    def knows(self, passes: PassList) -> bool:
        """Whether the list was tried before."""
        return passes.names in self._known

    def values(self, lists: Sequence[PassList]) -> list[int]:
        """Return what each list makes of the program: of the first ones, as far as there is room.

        A list on which LLVM fails has the value ``FAILED``.
        """
        fitting = list(self._fitting(lists))
        new = list(dict.fromkeys(one for one in fitting if not self.knows(one)))
        self._barren = 0 if new else self._barren + 1
        for passes, value in zip(new, self._env.evaluate(new, failure=FAILED), strict=True):
            self._note(passes, value)
        return [self._known[passes.names] for passes in fitting]

    def _fitting(self, lists: Sequence[PassList]) -> Iterator[PassList]:
        room, paid = self.room, set[PassList]()
        for passes in lists:
            if not self.knows(passes):
                paid.add(passes)
                if len(paid) > room:
                    return
            yield passes

    def _note(self, passes: PassList, value: int) -> None:
        self._known[passes.names] = value
        self._idle = 0 if value < self.value else self._idle + 1
        if (value, len(passes)) < (self.value, len(self.best)):
            self.best, self.value = passes, value


def check_at_least(least: int, **settings: int | None) -> None:
    """Check settings that are counts; None is a setting that is switched off.

    Raises:
        ValueError: One is smaller.
    """
    for name, value in settings.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be {least} or more, got {value}")


def check_share(**settings: float) -> None:
    """Check settings that are shares or probabilities.

    Raises:
        ValueError: One is not from 0 to 1.
    """
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {value}")
