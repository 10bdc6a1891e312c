"""Nevergrad's optimizers on pass lists; needs the extra ``search``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import nevergrad as ng
import numpy as np

from llmopt_bench import PassList, PassOrderEnv

from .start import start_of
from .trials import Trials, check_at_least

_NORMAL = NormalDist()


@dataclass(frozen=True)
class NevergradSearch:
    """Lets an optimizer of Nevergrad choose lists: it proposes, is told the value, proposes again.

    A list is a row of ``max_passes`` slots, each with an action or empty. To the optimizer a slot
    is a number that it draws from a normal distribution: the middle half of the distribution is
    the empty slot, and each action has an equal part of the rest. A fixed number of slots so gives
    lists of any length. The first proposal is -Oz in the middle slot, with room before and after.
    The default optimizer is that of CompilerGym's autotuning experiments (there with 325 slots).
    """

    version: ClassVar[str] = "1"
    optimizer: str = "DiscreteLenglerOnePlusOne"
    """A name of Nevergrad's registry, such as ``PortfolioDiscreteOnePlusOne``, ``DE``, ``cGA``."""
    max_passes: int = 20
    """How many slots there are."""
    patience: int | None = None
    """Stop after this many lists without a better one; None to spend the whole budget."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_at_least(1, max_passes=self.max_passes, patience=self.patience)
        if self.optimizer not in ng.optimizers.registry:
            raise ValueError(
                f"optimizer must be a name of nevergrad.optimizers.registry, got {self.optimizer!r}"
            )

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found; the empty list if nothing makes the program smaller."""
        trials = Trials(env, self.patience)
        if trials.over:
            return trials.best
        optimizer = self._optimizer(env, trials.room)
        while not trials.over:
            proposal = optimizer.ask()
            passes = PassList(decode(proposal.value, env.action_names), env.action_set)
            (value,) = trials.values([passes])
            optimizer.tell(proposal, float(value))
        return trials.best

    def _optimizer(self, env: PassOrderEnv, budget: int) -> ng.optimizers.base.Optimizer:
        slots = ng.p.Array(shape=(self.max_passes,))
        slots.random_state = np.random.RandomState(env.np_random.integers(2**32))
        made = ng.optimizers.registry[self.optimizer](slots, budget=budget)
        first = np.zeros(self.max_passes)
        for name in start_of(env.action_set):
            first[self.max_passes // 2] = encode(name, env.action_names)
        made.suggest(first)
        return made


def decode(slots: Iterable[float], actions: tuple[str, ...]) -> list[str]:
    """Return the actions that the slots stand for, without the empty slots."""
    # Actions at both ends and as many empty parts between them, so 0 is an empty slot.
    count, half = len(actions), len(actions) // 2
    parts = [*actions[:half], *[None] * count, *actions[half:]]
    # Far out, the distribution rounds to 1.
    found = [parts[min(int(_NORMAL.cdf(slot) * 2 * count), 2 * count - 1)] for slot in slots]
    return [name for name in found if name is not None]


def encode(action: str, actions: tuple[str, ...]) -> float:
    """Return the number in the middle of the part that stands for an action."""
    number = actions.index(action)
    part = number if number < len(actions) // 2 else number + len(actions)
    return _NORMAL.inv_cdf((part + 0.5) / (2 * len(actions)))
