"""Rewards by name: how much smaller a step made the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmopt_bench.errors import UnknownName, unknown

_REWARDS = {
    "instruction_count": ("instruction_count", False),
    "instruction_count_oz": ("instruction_count", True),
    "text_size": ("text_size", False),
    "text_size_oz": ("text_size", True),
}


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward: what it measures, and whether it is scaled.

    Pure: a step's reward depends on the sizes before and after it and on nothing that was asked
    before.
    """

    name: str
    metric: str
    scaled: bool
    """Whether sizes are over what ``clang -Oz`` saves, so that an episode as good as -Oz sums to
    1 (Cummins et al., CompilerGym, CGO 2022)."""

    def of(self, before: int, after: int, gain_of_oz: Callable[[], int]) -> float:
        """Return the reward of one step.

        Args:
            before: The metric before the step.
            after: The metric after it.
            gain_of_oz: Gives O0 - Oz in the same metric; asked only when it is needed.
        """
        saved = float(before - after)
        # At least 1, as CompilerGym has it: -Oz does not make every program smaller.
        return saved / max(gain_of_oz(), 1) if self.scaled else saved


def make_reward(name: str) -> Reward:
    """Return the reward of that name.

    ========================  ============================================================
    ``instruction_count``     IR instructions saved by the step
    ``instruction_count_oz``  the same over what clang -Oz saves, max(O0 - Oz, 1)
    ``text_size``             bytes of machine code saved by the step
    ``text_size_oz``          the same over what clang -Oz saves
    ========================  ============================================================

    Raises:
        UnknownName: There is no such reward.
    """
    if name not in _REWARDS:
        raise UnknownName(unknown("reward", name, _REWARDS))
    return Reward(name, *_REWARDS[name])


def reward_names() -> tuple[str, ...]:
    """Return the names of all rewards."""
    return tuple(_REWARDS)
