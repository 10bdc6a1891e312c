"""Epsilon-greedy search: greedy step by step, now and then at random, again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from .start import start_of
from .trials import FAILED, Trials, check_at_least, check_share


@dataclass(frozen=True)
class EpsilonGreedySearch:
    """Builds lists from nothing by the action that saves most, or by any with probability epsilon.

    Each step tries every action after the list and takes the best one. A list ends when no action
    saves anything, and the search starts over, until the budget is spent: without a random step
    it would take the same way again, which costs nothing because lists that were tried are known.
    The method, and epsilon, are those of CompilerGym's leaderboard entry ("e-Greedy search
    e=0.1"), which runs one list only. The first compilation goes to -Oz. Ties go to the action
    that comes first in the action set.
    """

    version: ClassVar[str] = "1"
    epsilon: float = 0.1
    """Probability of a random step."""
    max_passes: int = 45
    """The most passes of a list."""
    patience: int | None = None
    """Stop after this many lists without a better one; None to spend the whole budget."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_share(epsilon=self.epsilon)
        check_at_least(1, max_passes=self.max_passes, patience=self.patience)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found."""
        trials = Trials(env, self.patience)
        trials.values([start_of(env.action_set)])
        while not trials.over:
            self._episode(env, trials)
        return trials.best

    def _episode(self, env: PassOrderEnv, trials: Trials) -> None:
        passes, value = PassList([], env.action_set), env.initial
        while len(passes) < self.max_passes and not trials.over:
            after = [PassList([*passes, name], env.action_set) for name in env.action_names]
            explore = env.np_random.random() < self.epsilon
            if explore:
                after = [after[env.np_random.integers(len(after))]]
            values = trials.values(after)
            smallest = min(values, default=FAILED)
            if smallest == FAILED or not (explore or smallest < value):
                return
            passes, value = after[values.index(smallest)], smallest
