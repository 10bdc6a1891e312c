"""The tuner: a learnt coreset of pass lists, then local search around the best of them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from llmopt_bench import PassList, PassOrderEnv

from .coreset import Coreset, load_coreset
from .minimise import minimise
from .mutation import Mutation
from .niche import Attempt, Niche, is_pipeline
from .trials import FAILED, Trials, check_at_least, check_share

_BATCH = 8


@dataclass(frozen=True)
class Tuner:
    """Tries the lists of a coreset, and searches on from the best of them.

    1. **Coreset**: lists that together did best on functions of the corpus's train split
       (``coreset.py``), most useful first; -Oz is the first of all. They may spend
       ``coreset_share`` of the budget.
    2. **Local search**: the best lists become ``lineages``. Each try mutates one of them, mostly
       the best, by one or more edits (``mutation.py``), and takes its place if it is no larger. A
       lineage that has stood still for ``stall`` tries starts again: at the best list, or at a
       list of the coreset. ``simple_share`` of the tries go to lineages of lists without whole
       pipelines such as -Oz (``niche.py``): most start larger than -Oz, and would never be
       searched around beside lists that have it, but end smaller on many functions.
    3. **Minimisation**: passes that the result does not need are dropped, with at most
       ``minimise_share`` of the budget.

    It learnt nothing from validation or test splits.
    """

    version: ClassVar[str] = "2"
    trained_on: ClassVar[tuple[str, ...]] = ("corpus-train-v1",)
    lineages: int = 4
    """How many lists are searched around."""
    coreset_share: float = 0.5
    """The most of the budget that goes to the coreset."""
    simple_share: float = 0.4
    """The share of the local search that goes to lists without whole pipelines."""
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
        check_share(
            coreset_share=self.coreset_share,
            simple_share=self.simple_share,
            minimise_share=self.minimise_share,
        )

    def run(self, env: PassOrderEnv, first: Sequence[PassList] = ()) -> PassList:
        """Return the best list found.

        Args:
            env: Where lists are tried.
            first: Lists of another agent, to try before those of the coreset, and to search
                around as well. The shares are those of the budget that is left.
        """
        trials = Trials(env, self.patience)
        trials.values(first)
        coreset = load_coreset(env.action_set).within(self.max_passes)
        budget = env.meter.remaining
        reserve = 0 if budget is None else int(budget * self.minimise_share)
        share = len(coreset.lists) if budget is None else int(budget * self.coreset_share)
        lists = coreset.lists[: max(share, 1)]
        values = trials.values(lists)
        if budget is not None:
            trials.allow(env.meter.remaining - reserve)  # type: ignore[operator]
        if not trials.over:
            starts = list(dict.fromkeys([*first, *lists[: len(values)]]))
            _LocalSearch(self, env, trials, coreset, starts).run()
        trials.allow(reserve)
        minimise(env, trials)
        return trials.best


class _LocalSearch:
    """The local search of a tuner in two niches: lists of any kind, and lists without pipelines.

    Args:
        settings: Those of the tuner.
        env: The environment.
        trials: Where lists are tried.
        coreset: Gives what mutations are made of.
        tried: Lists to start from.
    """

    def __init__(
        self,
        settings: Tuner,
        env: PassOrderEnv,
        trials: Trials,
        coreset: Coreset,
        tried: Sequence[PassList],
    ) -> None:
        self._rng: Generator = env.np_random
        self._trials = trials
        self._share = settings.simple_share
        # Failed lists are no place to start from.
        values = zip(trials.values(tried), tried, strict=True)
        good = [(value, passes) for value, passes in values if value != FAILED]
        good = good or [(trials.value, trials.best)]
        good.sort(key=lambda start: (start[0], len(start[1])))
        pipelines = {action.name for action in env.action_set.actions if is_pipeline(action)}
        simple = [start for start in good if pipelines.isdisjoint(start[1])]

        def niche(starts: Sequence[tuple[int, PassList]], without: Set[str]) -> Niche:
            names = [name for name in env.action_names if name not in without]
            mutation = Mutation(coreset.without(without), names, settings.max_passes, self._rng)
            return Niche(mutation, starts, settings.lineages, settings.stall, self._rng)

        self._any = niche(good, frozenset())
        empty = (env.initial, PassList([], env.action_set))
        self._simple = niche(simple or [empty], pipelines)

    def run(self) -> None:
        """Search until the phase is over."""
        while not self._trials.over:
            tries = [self._attempt() for _ in range(min(_BATCH, self._trials.room))]
            values = self._trials.values([attempt.passes for attempt in tries])
            for attempt, value in zip(tries, values, strict=False):
                attempt.learn(value)
            self._any.settle()
            self._simple.settle()

    def _attempt(self) -> Attempt:
        niche = self._simple if self._rng.random() < self._share else self._any
        return niche.attempt(self._trials)
