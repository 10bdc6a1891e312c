"""Greedy search: one action at a time, always the one that helps most now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from .start import start_of


@dataclass(frozen=True)
class GreedySearch:
    """Adds the action that saves most to the best list so far, until none saves anything.

    It starts from -Oz, or from the empty list if that is no larger. Each round tries every action
    after the list, and only if none helps, every action before it: what runs before -Oz often
    opens the way for it. A try is one compilation, and so is each step by which the environment
    follows the list; a round is cut short when the budget ends. Ties go to the action that comes
    first in the action set. No settings, no random numbers.
    """

    version: ClassVar[str] = "1"

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found."""
        best, value = PassList([], env.action_set), env.initial
        found = start_of(env.action_set) or _after(env, best, value) or best
        while _go_to(env, found) and env.value < value:
            best, value = found, env.value
            found = _after(env, best, value) or _before(env, best, value) or best
        return best


def _go_to(env: PassOrderEnv, target: PassList) -> bool:
    """Bring the environment to a list of passes; False if the budget does not hold the steps."""
    while target.names[: len(env.pass_list)] != env.pass_list.names:
        env.undo()
    missing = target[len(env.pass_list) :]
    if env.meter.remaining is not None and len(missing) > env.meter.remaining:
        return False
    for name in missing:
        if env.step(env.action_set.index(name))[2]:
            return False  # an error of the compiler
    return True


def _after(env: PassOrderEnv, best: PassList, value: int) -> PassList | None:
    """Return the best list with the action at its end that helps most, if one helps."""
    # All these lists begin as the environment did, so only their ends are compiled.
    ends = [PassList([name], env.action_set) for name in env.action_names]
    end = _best_of(env, ends, value, spare=1, here=True)
    return None if end is None else best + end


def _before(env: PassOrderEnv, best: PassList, value: int) -> PassList | None:
    """Return the best list with the action before it that helps most, if one helps."""
    lists = [PassList([name, *best], env.action_set) for name in env.action_names]
    return _best_of(env, lists, value, spare=len(best) + 1, here=False)


def _best_of(
    env: PassOrderEnv,
    lists: Sequence[PassList],
    value: int,
    spare: int,
    here: bool,
) -> PassList | None:
    """Return the smallest of the lists that the budget allows, if it is smaller than ``value``.

    ``spare`` compilations stay, to go there.
    """
    remaining = env.meter.remaining
    tried = lists if remaining is None else lists[: max(remaining - spare, 0)]
    # A list on which LLVM fails helps nobody.
    values = env.evaluate(tried, here=here, failure=value)
    smallest = min(values, default=value)
    return tried[values.index(smallest)] if smallest < value else None
