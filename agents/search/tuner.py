"""The tuner: a learnt coreset of pass lists, then local search around the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from llmopt_bench import PassList, PassOrderEnv

from .coreset import Coreset, load_coreset
from .minimise import minimise
from .mutation import Mutation
from .trials import FAILED, Trials, check_at_least, check_share

_BATCH = 8
_ATTEMPTS = 5
"""How often a mutation that gives no new list is tried again."""


@dataclass(frozen=True)
class Tuner:
    """Tries the lists of a coreset, and searches on from the best of them.

    1. **Coreset**: lists that together did best on functions of the corpus's train split
       (``coreset.py``), most useful first; -Oz is the first of all. They may spend
       ``coreset_share`` of the budget.
    2. **Local search**: the best lists become ``lineages``. Each try mutates one of them, mostly
       the best, by one or more edits (``mutation.py``), and takes its place if it is no larger.
       That equals replace each other lets a lineage drift over the many lists that differ in code
       but not in size. A lineage that has stood still for ``stall`` tries starts again: at the
       best list of all, or at a list of the coreset.
    3. **Minimisation**: passes that the result does not need are dropped, with at most
       ``minimise_share`` of the budget.

    It learnt nothing from validation or test splits.
    """

    version: ClassVar[str] = "1"
    trained_on: ClassVar[tuple[str, ...]] = ("corpus-train-v1",)
    lineages: int = 4
    """How many lists are searched around."""
    coreset_share: float = 0.5
    """The most of the budget that goes to the coreset."""
    minimise_share: float = 0.05
    """The most of the budget that goes to the minimisation."""
    stall: int = 80
    """How many tries a lineage may stand still."""
    max_passes: int = 60
    """The most passes of a list."""
    patience: int | None = None
    """Stop after this many lists without a better one; None to spend the whole budget."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_at_least(1, lineages=self.lineages, stall=self.stall, max_passes=self.max_passes)
        check_at_least(1, patience=self.patience)
        check_share(coreset_share=self.coreset_share, minimise_share=self.minimise_share)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found."""
        trials = Trials(env, self.patience)
        coreset = load_coreset(env.action_set)
        budget = env.meter.remaining
        reserve = 0 if budget is None else int(budget * self.minimise_share)
        share = len(coreset.lists) if budget is None else int(budget * self.coreset_share)
        lists = coreset.lists[: max(share, 1)]
        values = trials.values(lists)
        if budget is not None:
            trials.allow(env.meter.remaining - reserve)  # type: ignore[operator]
        if not trials.over:
            _LocalSearch(self, env, trials, coreset, lists[: len(values)]).run()
        trials.allow(reserve)
        minimise(env, trials)
        return trials.best


@dataclass
class _Lineage:
    """A list that is searched around, and for how many tries it has not become smaller."""

    value: int
    passes: PassList
    age: int = 0


class _LocalSearch:
    def __init__(
        self,
        settings: Tuner,
        env: PassOrderEnv,
        trials: Trials,
        coreset: Coreset,
        tried: Sequence[PassList],
    ) -> None:
        self._settings = settings
        self._rng: Generator = env.np_random
        self._trials = trials
        self._mutation = Mutation(coreset, env.action_names, settings.max_passes, self._rng)
        # Failed lists are no place to start from.
        values = zip(trials.values(tried), tried, strict=True)
        good = [(value, passes) for value, passes in values if value != FAILED]
        good = good or [(trials.value, trials.best)]
        self._starts = sorted(good, key=lambda start: (start[0], len(start[1])))
        self._lineages = [_Lineage(*start) for start in self._starts[: settings.lineages]]

    def run(self) -> None:
        """Search until the phase is over."""
        while not self._trials.over:
            tries = [self._try() for _ in range(min(_BATCH, self._trials.room))]
            values = self._trials.values([passes for _, passes, _ in tries])
            for (lineage, passes, edits), value in zip(tries, values, strict=False):
                self._mutation.learn(edits, better=value < lineage.value)
                _take(lineage, value, passes)
            self._lineages.sort(key=lambda lineage: lineage.value)
            self._restart()

    def _try(self) -> tuple[_Lineage, PassList, Sequence[str]]:
        """Return a lineage, a mutant of its list, and the edits that made it."""
        place = min(int(self._rng.geometric(0.5)) - 1, len(self._lineages) - 1)
        lineage = self._lineages[place]
        for _ in range(_ATTEMPTS):
            passes, edits = self._mutation.mutate(lineage.passes)
            if not self._trials.knows(passes):
                break
        return lineage, passes, edits

    def _restart(self) -> None:
        """Let lineages that stand still start elsewhere; the best one goes on as it is."""
        for lineage in self._lineages[1:]:
            if lineage.age <= self._settings.stall:
                continue
            lineage.value, lineage.passes = self._trials.value, self._trials.best
            if self._rng.random() < 0.5:
                starts = self._starts[:20]
                lineage.value, lineage.passes = starts[self._rng.integers(len(starts))]
            lineage.age = 0


def _take(lineage: _Lineage, value: int, passes: PassList) -> None:
    """Let a mutant take the place of its parent if it is no larger."""
    lineage.age = 0 if value < lineage.value else lineage.age + 1
    if value <= lineage.value:
        lineage.value, lineage.passes = value, passes
