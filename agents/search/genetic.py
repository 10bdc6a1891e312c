"""A genetic algorithm on pass lists of any length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from llmopt_bench import PassList, PassOrderEnv

from .start import start_of
from .trials import Trials, check_at_least, check_share

_Names = tuple[str, ...]

_ATTEMPTS = 10
"""How often a child that is no new list is mutated again before it is taken as it is."""


@dataclass(frozen=True)
class GeneticSearch:
    """Breeds pass lists: the fitter of a few become parents, their children are mutated.

    The first generation is -Oz and -Oz with random actions inserted before and after it. Each
    later one keeps the ``elite`` best lists; the others are children of parents that won a
    tournament (fewest instructions, then fewest passes): with probability ``crossover`` of two
    parents, cut at one point each or with a piece of one put in place of a piece of the other.
    Then 1 to ``edits`` actions are inserted, deleted, replaced or swapped. The kind of algorithm
    is that of CompilerGym's OpenTuner experiments (tournament of 5, population of 200 for an
    hour); the smaller population is for a few hundred compilations.
    """

    version: ClassVar[str] = "1"
    population: int = 40
    """Lists in a generation."""
    tournament: int = 5
    """How many lists compete to be a parent."""
    elite: int = 2
    """How many of the best lists go on unchanged."""
    crossover: float = 0.6
    """Probability that a child has two parents."""
    edits: int = 2
    """The most edits that a mutation makes."""
    first_edits: int = 10
    """The most actions beside -Oz in a list of the first generation."""
    max_passes: int = 45
    """The most passes of a list."""
    patience: int | None = None
    """Stop after this many lists without a better one; None to spend the whole budget."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_at_least(2, population=self.population)
        check_at_least(1, tournament=self.tournament, edits=self.edits, max_passes=self.max_passes)
        check_at_least(1, first_edits=self.first_edits, patience=self.patience)
        check_at_least(0, elite=self.elite)
        check_share(crossover=self.crossover)
        if self.elite >= self.population:
            raise ValueError(f"elite must be less than population, got {self.elite}")

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found; the empty list if nothing makes the program smaller."""
        trials = Trials(env, self.patience)
        generation = self._first(env)
        while not trials.over:
            values = trials.values(generation)
            if len(values) == len(generation):
                order = sorted(range(len(values)), key=lambda i: (values[i], len(generation[i])))
                generation = self._next(env, trials, [generation[i] for i in order])
        return trials.best

    def _first(self, env: PassOrderEnv) -> list[PassList]:
        rng, start = env.np_random, start_of(env.action_set)
        found = [start]
        for _ in range(self.population - 1):
            names: _Names = start.names
            for _ in range(rng.integers(1, self.first_edits + 1)):
                names = _inserted(names, env.action_names, rng)
            found.append(self._as_list(names, env))
        return found

    def _next(self, env: PassOrderEnv, trials: Trials, ranked: list[PassList]) -> list[PassList]:
        children = []
        for _ in range(self.population - self.elite):
            names = self._parent(ranked, env.np_random).names
            if env.np_random.random() < self.crossover:
                other = self._parent(ranked, env.np_random).names
                names = crossed(names, other, env.np_random)
            children.append(self._mutated(names, env, trials))
        return ranked[: self.elite] + children

    def _parent(self, ranked: list[PassList], rng: Generator) -> PassList:
        # The lists are in order of fitness, so the winner of a tournament is the first in it.
        return ranked[int(rng.integers(len(ranked), size=self.tournament).min())]

    def _mutated(self, names: _Names, env: PassOrderEnv, trials: Trials) -> PassList:
        for _ in range(_ATTEMPTS):
            for _ in range(env.np_random.integers(1, self.edits + 1)):
                names = edited(names, env.action_names, env.np_random)
            child = self._as_list(names, env)
            if not trials.knows(child):
                break
        return child

    def _as_list(self, names: _Names, env: PassOrderEnv) -> PassList:
        return PassList(names[: self.max_passes], env.action_set)


def crossed(one: _Names, other: _Names, rng: Generator) -> _Names:
    """Return a child of two lists: by one cut in each, or by two in each, half of the time each."""
    if rng.random() < 0.5:
        return one[: rng.integers(len(one) + 1)] + other[rng.integers(len(other) + 1) :]
    start, stop = sorted(rng.integers(len(one) + 1, size=2).tolist())
    begin, end = sorted(rng.integers(len(other) + 1, size=2).tolist())
    return one[:start] + other[begin:end] + one[stop:]


def edited(names: _Names, actions: _Names, rng: Generator) -> _Names:
    """Return a list with one random edit: insert, delete, replace or swap."""
    if not names:
        return _inserted(names, actions, rng)
    at = int(rng.integers(len(names)))
    match rng.integers(4):
        case 0:
            return _inserted(names, actions, rng)
        case 1:
            return names[:at] + names[at + 1 :]
        case 2:
            return (*names[:at], actions[rng.integers(len(actions))], *names[at + 1 :])
        case _:
            other, swapped = int(rng.integers(len(names))), list(names)
            swapped[at], swapped[other] = names[other], names[at]
            return tuple(swapped)


def _inserted(names: _Names, actions: _Names, rng: Generator) -> _Names:
    at = int(rng.integers(len(names) + 1))
    return (*names[:at], actions[rng.integers(len(actions))], *names[at:])
