"""Greedy search: one action at a time, always the one that helps most now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv


@dataclass(frozen=True)
class GreedySearch:
    """Adds the action that saves most to the best list so far, until none saves anything.

    It starts from -Oz, or from the empty list if that is no larger. Each round tries every action
    after the list, and only if none helps, every action before it: what runs before -Oz often
    opens the way for it. A try is one compilation; a round is cut short when the budget ends.
    Ties go to the action that comes first in the action set. No settings, no random numbers.
    """

    version: ClassVar[str] = "1"

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found."""
        best, value = PassList([], env.action_set), env.initial
        rounds = [[PassList(["Oz"], env.action_set)], *_extensions(env, best)]
        while rounds:
            found, smallest = _smallest(env, rounds.pop(0), default=(best, value))
            if smallest < value:
                best, value = found, smallest
                rounds = _extensions(env, best)
        return best


def _extensions(env: PassOrderEnv, best: PassList) -> list[list[PassList]]:
    """Return two rounds of candidates: one action more at the end, and one at the front."""
    after = [PassList([*best, name], env.action_set) for name in env.action_names]
    before = [PassList([name, *best], env.action_set) for name in env.action_names]
    return [after, before] if best else [after]


def _smallest(
    env: PassOrderEnv, candidates: Sequence[PassList], default: tuple[PassList, int]
) -> tuple[PassList, int]:
    """Return the best of as many candidates as the budget allows, and its value."""
    affordable = candidates[: env.meter.remaining]
    values = env.evaluate(affordable)
    if not values:
        return default
    smallest = min(values)
    return affordable[values.index(smallest)], smallest
