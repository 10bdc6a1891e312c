"""Edits of pass lists: what a local search tries next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from llmopt_bench import PassList

from .coreset import Coreset

_WEIGHTS = {
    "insert": 3.0,
    "append": 1.0,
    "prepend": 1.0,
    "delete": 2.0,
    "replace": 2.0,
    "swap": 1.0,
    "splice": 1.0,
    "chain": 4.0,
}
"""How often each edit is made, before anything is known of the program."""
_MORE_EDITS = 0.4
"""Probability that another edit follows."""
_COST = 0.02
"""What a try without a gain takes from the weight of its edits."""
_UNIFORM = 0.3
"""How much of the distribution of new actions is uniform; the rest are the coreset's weights."""


class Mutation:
    """Makes mutants of pass lists, and prefers the edits that have helped.

    Args:
        coreset: Gives weights of actions, and the lists that are spliced in.
        actions: The names of all actions.
        max_passes: The most passes of a mutant.
        rng: The random numbers.
    """

    def __init__(
        self, coreset: Coreset, actions: Sequence[str], max_passes: int, rng: Generator
    ) -> None:
        self._rng = rng
        self._actions = actions
        self._max_passes = max_passes
        self._lists = [passes.names for passes in coreset.lists]
        learnt = np.array([coreset.weights.get(name, 0.0) for name in actions])
        share = learnt / learnt.sum() if learnt.any() else np.full(len(actions), 1 / len(actions))
        self._bounds = np.cumsum(_UNIFORM / len(actions) + (1 - _UNIFORM) * share)
        self._edits: dict[str, Callable[[list[str]], None]] = {
            "insert": self._insert,
            "append": lambda names: names.append(self._action()),
            "prepend": lambda names: names.insert(0, self._action()),
            "delete": self._delete,
            "replace": self._replace,
            "swap": self._swap,
        }
        if self._lists:
            self._edits |= {"splice": self._splice, "chain": self._chain}
        self._gains = dict.fromkeys(_WEIGHTS, 0.0)
        self._tries = dict.fromkeys(_WEIGHTS, 0)

    def mutate(self, passes: PassList) -> tuple[PassList, Sequence[str]]:
        """Return a mutant of a list, and the names of the edits that made it."""
        names = list(passes)
        edits: list[str] = []
        while not edits or self._rng.random() < _MORE_EDITS:
            edits.append(self._edit())
            self._edits[edits[-1]](names)
        return PassList(names[: self._max_passes], passes.action_set), edits

    def learn(self, edits: Sequence[str], *, better: bool) -> None:
        """Take note of whether a mutant was better than its parent."""
        for edit in edits:
            self._tries[edit] += 1
            self._gains[edit] += 0.5 * better

    def _edit(self) -> str:
        weights = [
            _WEIGHTS[edit] * (1 + self._gains[edit]) / (1 + _COST * self._tries[edit])
            for edit in self._edits
        ]
        return list(self._edits)[self._draw(np.cumsum(weights))]

    def _action(self) -> str:
        return self._actions[self._draw(self._bounds)]

    def _draw(self, bounds: NDArray[np.float64]) -> int:
        """Return a place with the probability that its step in ``bounds`` has."""
        return int(np.searchsorted(bounds[:-1], self._rng.random() * bounds[-1], side="right"))

    def _place(self, count: int) -> int:
        return int(self._rng.integers(count))

    def _insert(self, names: list[str]) -> None:
        names.insert(self._place(len(names) + 1), self._action())

    def _delete(self, names: list[str]) -> None:
        if len(names) > 1:
            del names[self._place(len(names))]

    def _replace(self, names: list[str]) -> None:
        if names:
            names[self._place(len(names))] = self._action()

    def _swap(self, names: list[str]) -> None:
        if len(names) > 1:
            one, other = self._place(len(names)), self._place(len(names))
            names[one], names[other] = names[other], names[one]

    def _chain(self, names: list[str]) -> None:
        """Run a whole list of the coreset before or after the list."""
        other = self._lists[self._place(len(self._lists))]
        place = self._place(2) * len(names)
        names[place:place] = other

    def _splice(self, names: list[str]) -> None:
        """Put a piece of a list of the coreset somewhere into the list."""
        piece = self._lists[self._place(len(self._lists))]
        begin = self._place(len(piece))
        end = begin + 1 + self._place(len(piece) - begin)
        place = self._place(len(names) + 1)
        names[place:place] = piece[begin:end]
