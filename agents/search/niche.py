"""Niches: kinds of pass lists that a search keeps apart, each with lineages of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator

from llmopt_bench import Action, PassList

from .mutation import Mutation
from .trials import Trials

_ATTEMPTS = 5
"""How often a mutation that gives no new list is tried again."""
_STARTS = 20
"""Among so many of the best first lists one is drawn when a lineage starts again."""


def is_pipeline(action: Action) -> bool:
    """Whether an action runs tens of passes: ``Oz``, ``default<O2>`` and parts of these."""
    return action.composite or action.name.startswith(
        ("default<", "function-simplification<", "scc-oz-module-inliner")
    )


@dataclass
class Lineage:
    """A list that is searched around, and for how many tries it has not become smaller."""

    value: int
    passes: PassList
    age: int = 0

    def take(self, value: int, passes: PassList) -> None:
        """Let a mutant take the place of the list if it is no larger.

        That equals replace each other lets a lineage drift over the many lists that differ in
        code but not in size.
        """
        self.age = 0 if value < self.value else self.age + 1
        if value <= self.value:
            self.value, self.passes = value, passes


@dataclass(frozen=True)
class Attempt:
    """A mutant to try, and where it comes from."""

    passes: PassList
    lineage: Lineage
    edits: Sequence[str]
    mutation: Mutation

    def learn(self, value: int) -> None:
        """Take note of what the mutant makes of the program."""
        self.mutation.learn(self.edits, better=value < self.lineage.value)
        self.lineage.take(value, self.passes)


class Niche:
    """Lineages of lists of one kind, and how these are mutated.

    Args:
        mutation: Makes lists of this kind out of lists of this kind.
        starts: Values and lists to start from, the best first.
        lineages: How many lists are searched around.
        stall: How many tries a lineage may stand still.
        rng: The random numbers.
    """

    def __init__(
        self,
        mutation: Mutation,
        starts: Sequence[tuple[int, PassList]],
        lineages: int,
        stall: int,
        rng: Generator,
    ) -> None:
        self._mutation = mutation
        self._starts = starts[:_STARTS]
        self._stall = stall
        self._rng = rng
        self._lineages = [Lineage(*start) for start in starts[:lineages]]

    def attempt(self, trials: Trials) -> Attempt:
        """Return a mutant of a list, mostly of the best one."""
        place = min(int(self._rng.geometric(0.5)) - 1, len(self._lineages) - 1)
        lineage = self._lineages[place]
        for _ in range(_ATTEMPTS):
            passes, edits = self._mutation.mutate(lineage.passes)
            if not trials.knows(passes):
                break
        return Attempt(passes, lineage, edits, self._mutation)

    def settle(self) -> None:
        """Put the best lineage first, and let others that stand still start elsewhere.

        They start at the best list of the niche, or at one of its first lists.
        """
        self._lineages.sort(key=lambda lineage: lineage.value)
        best = self._lineages[0]
        for lineage in self._lineages[1:]:
            if lineage.age <= self._stall:
                continue
            lineage.value, lineage.passes, lineage.age = best.value, best.passes, 0
            if self._rng.random() < 0.5:
                lineage.value, lineage.passes = self._starts[
                    int(self._rng.integers(len(self._starts)))
                ]
