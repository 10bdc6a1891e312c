"""The autotuner of "Large Language Models for Compiler Optimization" (arXiv 2309.07062)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from .minimise import minimise
from .start import start_of
from .trials import Trials, check_at_least, check_share

_BATCH = 32


@dataclass(frozen=True)
class Autotuner:
    """Random search, minimisation of the best list, and a broadcast of all best lists to all.

    1. **Search**: random lists of 1 to ``max_passes`` actions. Passes may repeat; a pipeline such
       as ``Oz`` or ``default<O2>`` stands in a list once at most, as a meta flag does in the
       paper. The first list is -Oz, so that the answer is never worse.
    2. **Minimisation**: single passes, in random order, are dropped from the best list, and stay
       dropped if the value is no worse, until none can be.
    3. **Broadcast**: when all programs have come so far, the best lists of all of them are tried
       on each. A runner does this by calling ``broadcast``; on one program alone the share for it
       stays unspent, so ``broadcast_share=0`` is better there.

    The paper gives each search 780 seconds, and everything together took 37,424 compilations for a
    function of its training set. Here the phases share a budget: the broadcast gets
    ``broadcast_share`` of it, ``broadcast_most`` at most; the minimisation what it needs,
    ``minimise_share`` at most; the search all the rest. What the minimisation does not need goes
    to the broadcast.
    """

    version: ClassVar[str] = "1"
    max_passes: int = 45
    """The most passes of a random list. Of 5, 10, 20 and 45 the best on 100 functions of
    ``corpus-validation-v1`` at 300 compilations: 3.0, 3.5, 4.1 and 5.2 % over -Oz."""
    minimise_share: float = 0.1
    """The most of the budget that goes to the minimisation."""
    broadcast_share: float = 0.3
    """How much of the budget is kept for the broadcast."""
    broadcast_most: int = 500
    """The most compilations that are kept for the broadcast."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_at_least(1, max_passes=self.max_passes)
        check_at_least(0, broadcast_most=self.broadcast_most)
        check_share(minimise_share=self.minimise_share, broadcast_share=self.broadcast_share)
        if self.minimise_share + self.broadcast_share > 1:
            raise ValueError("minimise_share and broadcast_share together must be 1 at most")

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list of the search, minimised."""
        budget = env.meter.remaining
        if budget is None:
            raise ValueError("the autotuner needs a budget, or its search would never end")
        broadcast = min(int(budget * self.broadcast_share), self.broadcast_most)
        shorten = int(budget * self.minimise_share)
        trials = Trials(env)
        trials.allow(budget - broadcast - shorten)
        self._search(env, trials)
        trials.allow(shorten)
        minimise(env, trials)
        return trials.best

    def broadcast(
        self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList], /
    ) -> PassList:
        """Return the best of the best lists of all programs.

        Args:
            env: The environment of one program, with the rest of its budget.
            best: The answer of ``run`` for this program; it is tried again, and wins ties.
            lists: The answers for all programs, the one to try first at the front; those that the
                budget does not hold are left out.
        """
        tried = list(dict.fromkeys([best, *lists]))[: env.meter.remaining]
        values = env.evaluate(tried, failure=env.initial)
        return tried[values.index(min(values))] if tried else best

    def _search(self, env: PassOrderEnv, trials: Trials) -> None:
        trials.values([start_of(env.action_set)])
        while not trials.over:
            trials.values([self._random_list(env) for _ in range(min(_BATCH, trials.room))])

    def _random_list(self, env: PassOrderEnv) -> PassList:
        names: list[str] = []
        for _ in range(env.np_random.integers(1, self.max_passes + 1)):
            name = env.action_names[env.np_random.integers(len(env.action_names))]
            if not (name in names and _is_meta(env, name)):
                names.append(name)
        return PassList(names, env.action_set)


def _is_meta(env: PassOrderEnv, name: str) -> bool:
    action = env.action_set.actions[env.action_set.index(name)]
    return action.composite or name.startswith("default<")
