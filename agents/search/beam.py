"""Beam search: the few best states of each length, and all that can be made of them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from llmopt_bench import LlmoptError, PassList, PassOrderEnv

from .start import start_of
from .trials import check_at_least


class _State(NamedTuple):
    value: int
    env: PassOrderEnv


@dataclass(frozen=True)
class BeamSearch:
    """Keeps the ``width`` smallest states that differ, and applies actions to each of them.

    It begins with the unoptimised program and with what -Oz makes of it. Each level applies
    actions to every state of the beam, and the smallest new states are the next beam, whether or
    not they are smaller than those before: what helps later may cost something first. A state
    that was in the beam, or pushed out of it, does not come back. Two states are the same when
    the hashes of their code are; only a state that is small enough for the beam, and that its
    last pass has changed, is hashed. The search ends with the budget, or when a level has nothing
    new. Each applied action is one compilation. Ties go to the earlier state.
    """

    version: ClassVar[str] = "1"
    width: int = 8
    """How many states go on."""
    branching: int | None = 16
    """How many actions, drawn anew for each state, are applied to it; None for all of them, which
    leaves few levels to a small budget: 3.3 against 3.5 % over -Oz on 100 functions of
    ``corpus-validation-v1`` at 300 compilations."""
    max_passes: int = 45
    """The most passes of a list."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_at_least(1, width=self.width, branching=self.branching, max_passes=self.max_passes)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found; the empty list if nothing makes the program smaller."""
        start = _State(env.initial, env.fork())
        beam = [start]
        for name in start_of(env.action_set):
            beam += _child(start, env.action_set.index(name))
        seen = {state.env.session.content_hash() for state in beam}
        best = min(beam, key=_value)
        while beam:
            entering: list[_State] = []
            for child in self._children(env, beam):
                best = min(best, child, key=_value)
                self._enter(child, entering, seen)
            beam = entering
        return best.env.pass_list

    def _children(self, env: PassOrderEnv, beam: list[_State]) -> Iterator[_State]:
        for state in beam:
            if len(state.env.pass_list) < min(self.max_passes, env.max_passes or self.max_passes):
                for action in self._actions(env):
                    yield from _child(state, action)

    def _actions(self, env: PassOrderEnv) -> list[int]:
        count = len(env.action_names)
        if self.branching is None or self.branching >= count:
            return list(range(count))
        return sorted(env.np_random.choice(count, self.branching, replace=False).tolist())

    def _enter(self, child: _State, entering: list[_State], seen: set[str]) -> None:
        if len(entering) == self.width and child.value >= entering[-1].value:
            return
        content = child.env.session.content_hash()
        if content not in seen:
            seen.add(content)
            insort(entering, child, key=_value)
            del entering[self.width :]


def _value(state: _State) -> int:
    return state.value


def _child(state: _State, action: int) -> list[_State]:
    """Return what an action makes of a state; nothing if it fails, changes nothing or is unpaid."""
    if state.env.meter.exhausted:
        return []
    env = state.env.fork()
    _, _, failed, _, info = env.step(action)
    if failed or not info["changed"]:
        return []
    try:
        return [_State(env.value, env)]
    except LlmoptError:
        return []  # the code generator, which measures bytes, may fail where the passes did not
