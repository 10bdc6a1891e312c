"""CompilerGym's rewards by name, as functions of two states and of nothing that was asked before.

The arithmetic is CompilerGym 0.2.5's; what LLVM 22 measures goes into it. ``TextSize*`` is absent:
a linked program's code is the object's and start-up code of the C library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.session import Session


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """A reward: what it measures, and what it is divided by.

    The scale is 1; ``Norm``: O0; ``O3`` and ``Oz``: O0 - O3 and O0 - Oz. It is at least 1, as in
    CompilerGym, so that programs of which ``-Oz`` saves nothing weigh more than others.
    """

    name: str
    metric: str
    """``instruction_count``, or ``text_size`` in bytes."""
    over: str = ""
    """What the scale is: nothing, ``Norm``, ``O3`` or ``Oz``."""

    @property
    def id(self) -> str:
        """The name, as CompilerGym 0.2.4 and older call it."""
        return self.name

    @property
    def success_threshold(self) -> float | None:
        """The return of an episode that is as good as clang's level."""
        return 1.0 if self.over in ("O3", "Oz") else None

    @property
    def range(self) -> tuple[float, float]:
        """The least and the most that an episode can earn."""
        return (-float("inf"), 1.0 if self.over == "Norm" else float("inf"))

    @property
    def deterministic(self) -> bool:
        """Whether the same passes earn the same: always."""
        return True

    @property
    def platform_dependent(self) -> bool:
        """Whether it measures machine code of x86-64."""
        return self.metric == "text_size"

    def reward_on_error(self, episode_reward: float) -> float:
        """Return what a step earns on which the compiler fails: the episode then sums to 0."""
        return -episode_reward

    def of(self, session: Session, before: int, after: int) -> float:
        """Return what the way from one value of the metric to another earns."""
        return float(before - after) / self._scale(session)

    def _scale(self, session: Session) -> int:
        if not self.over:
            return 1
        initial = session.initial(self.metric)
        reached = 0 if self.over == "Norm" else session.reference(self.over, self.metric)
        return max(initial - reached, 1)

    def __str__(self) -> str:
        return self.name


def _specs() -> Iterator[RewardSpec]:
    for over in ("", "Norm", "O3", "Oz"):
        yield RewardSpec(f"IrInstructionCount{over}", "instruction_count", over)
        yield RewardSpec(f"ObjectTextSize{over or 'Bytes'}", "text_size", over)


REWARDS: Mapping[str, RewardSpec] = {spec.name: spec for spec in _specs()}
"""All rewards by name."""


def find_reward(name: object) -> RewardSpec:
    """Return the reward of a name, or the given one.

    Raises:
        UnknownName: There is no such reward.
    """
    known = REWARDS.get(str(name))
    if known is None:
        raise UnknownName(unknown("reward space", str(name), REWARDS))
    return known


class Costs:
    """What the module of an episode costs now and before the last step.

    Each is measured when it is first asked for; asking changes nothing.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._before = session
        self._then: dict[str, int] = {}
        self._now = self._then

    def begin_step(self) -> None:
        """Take the state as it is for the one before the step that comes now."""
        # A clone costs nothing before it is used, and then it runs the passes again.
        self._before, self._then = self.session.clone(), self._now

    def finish_step(self, changed: bool, instruction_count: int) -> None:
        """Take note of what the step gave."""
        self._now = {"instruction_count": instruction_count} if changed else self._then

    def now(self, metric: str) -> int:
        """Return the metric of the module as it is."""
        return _measured(self._now, self.session, metric)

    def before(self, metric: str) -> int:
        """Return the metric before the last step; of the module as it is where there was none."""
        return _measured(self._then, self._before, metric)

    def fork(self, session: Session) -> Costs:
        """Return the same costs for a session that is a clone."""
        twin = Costs(session)
        twin._before = self._before.clone()
        twin._then = dict(self._then)
        twin._now = twin._then if self._now is self._then else dict(self._now)
        return twin


def _measured(known: dict[str, int], session: Session, metric: str) -> int:
    if metric not in known:
        known[metric] = session.measure(metric)
    return known[metric]


class RewardView:
    """``env.reward["X"]``: what the last step earned, in any reward.

    Args:
        costs: Gives the costs of the episode.
    """

    spaces = REWARDS
    """All rewards by name."""

    def __init__(self, costs: Callable[[], Costs]) -> None:
        self._costs = costs

    def __getitem__(self, name: str | RewardSpec) -> float:
        """Return what the last call of ``step`` earned; 0 where there was none.

        Raises:
            UnknownName: There is no such reward.
            gymnasium.error.ResetNeeded: There was no episode yet.
        """
        spec, costs = find_reward(name), self._costs()
        return spec.of(costs.session, costs.before(spec.metric), costs.now(spec.metric))

    def of_episode(self, name: str | RewardSpec) -> float:
        """Return what the episode has earned so far: the sum over its steps.

        Raises:
            UnknownName, gymnasium.error.ResetNeeded: As above.
        """
        spec, costs = find_reward(name), self._costs()
        initial = costs.session.initial(spec.metric)
        return spec.of(costs.session, initial, costs.now(spec.metric))
