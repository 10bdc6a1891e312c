"""The episode of ``CompilerGymEnv``: spaces by name, ``reset`` and ``step``."""

from __future__ import annotations

import enum
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmopt_bench.compiler_gym_actions import ACTION_SET, FlagSpace
from llmopt_bench.compiler_gym_observations import ObservationSpec, ObservationView
from llmopt_bench.compiler_gym_rewards import Costs, RewardSpec, RewardView, find_reward
from llmopt_bench.datasets import load_program
from llmopt_bench.env import DEFAULT_PROGRAM, PassOrderEnv
from llmopt_bench.episode import Step
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.program import Program


class _Keep(enum.Enum):
    KEEP = enum.auto()


class CompilerGymEpisode(gym.Env[Any, Any]):
    """The part of ``CompilerGymEnv`` that Gymnasium knows; that class documents it.

    Args:
        benchmark: The program: a ``Program``, URI or path.
        observation_space: Name of what ``step`` and ``reset`` return; None for None.
        reward_space: Name of what ``step`` earns; None for 0.
        budget: The most compilations of an episode; None for no limit.
        isolation: The limits of the worker process in which LLVM works; None for this process.
        render_mode: ``ansi``: ``render`` returns the IR text.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012  (as in the base class)

    def __init__(
        self,
        benchmark: Program | str | Path | None = None,
        *,
        observation_space: str | ObservationSpec | None = None,
        reward_space: str | RewardSpec | None = None,
        budget: int | None = None,
        isolation: Isolation | None = DEFAULT,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.isolation = isolation
        self._budget = budget
        self._next = _as_program(DEFAULT_PROGRAM if benchmark is None else benchmark)
        self.pass_order = PassOrderEnv(
            self._next,
            observation="autophase",
            action_set=ACTION_SET,
            budget=budget,
            isolation=isolation,
        )
        """The environment that does the work; its ``evaluate`` and ``meter`` are for search."""
        self.action_space: FlagSpace = FlagSpace()
        self._passes = [self.pass_order.action_set.index(name) for name in self.action_space.passes]
        self.observation = ObservationView(lambda: self.pass_order.session)
        """``env.observation["X"]``: an observation of the module as it is."""
        self.reward = RewardView(self._require_costs)
        """``env.reward["X"]``: a reward of the last step."""
        self.observation_space = observation_space
        self.reward_space = reward_space
        self.actions: list[int] = []
        """The numbers of the flags that this episode applied."""
        self._costs: Costs | None = None
        self._running = self._failed = False
        self._began = 0.0
        self._info: dict[str, Any] = {}
        self._shown: NDArray[np.int64] = np.zeros(0, np.int64)

    @property  # type: ignore[override]  # the attribute of the base class is never None
    def observation_space(self) -> spaces.Space[Any] | None:
        """The space of what ``step`` returns; set by name."""
        return None if self._observation_space is None else self._observation_space.space

    @observation_space.setter  # type: ignore[override]  # takes names as well
    def observation_space(self, name: str | ObservationSpec | None) -> None:
        self._observation_space = None if name is None else self.observation.find(name)

    @property
    def observation_space_spec(self) -> ObservationSpec | None:
        """What ``step`` returns, with its name."""
        return self._observation_space

    @property
    def reward_space(self) -> RewardSpec | None:
        """What ``step`` earns; set by name."""
        return self._reward_space

    @reward_space.setter
    def reward_space(self, name: str | RewardSpec | None) -> None:
        self._reward_space = None if name is None else find_reward(name)

    @property
    def benchmark(self) -> Program:
        """The program of the episode; one that is set is that of the next episode."""
        return self._next if self._costs is None else self.pass_order.program

    @benchmark.setter
    def benchmark(self, benchmark: Program | str | Path) -> None:
        self._next = _as_program(benchmark)
        if self._running:
            warnings.warn(
                "The program changes with the next reset(); this episode keeps its own.",
                stacklevel=2,
            )

    @property
    def in_episode(self) -> bool:
        """Whether ``step`` may be called."""
        return self._running

    @property
    def episode_reward(self) -> float | None:
        """What the episode has earned; None without a reward space.

        A function of the module: 0 at the start, and what the rewards of all steps add up to.
        """
        if self._reward_space is None:
            return None
        if self._costs is None or self._failed:
            return 0.0
        return self.reward.of_episode(self._reward_space)

    @property
    def episode_walltime(self) -> float:
        """Seconds since ``reset``."""
        return time.monotonic() - self._began if self._costs else 0.0

    def reset(
        self,
        benchmark: Program | str | Path | None = None,
        *,
        observation_space: str | ObservationSpec | _Keep | None = _Keep.KEEP,
        reward_space: str | RewardSpec | _Keep | None = _Keep.KEEP,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            benchmark: The program of this episode and the next ones.
            observation_space: What ``step`` is to return from now on.
            reward_space: What ``step`` is to earn from now on.
            seed: Seeds ``np_random``; nothing here is random.
            options: ``program``: a program, URI or path for this episode alone.

        Raises:
            BadProgram, UnknownProgram: The program cannot be loaded.
            UnknownName: There is no such observation or reward.
            ValueError: There are other options.
        """
        super().reset(seed=seed)
        if benchmark is not None:
            self._next = _as_program(benchmark)
        if not isinstance(observation_space, _Keep):
            self.observation_space = observation_space
        if not isinstance(reward_space, _Keep):
            self.reward_space = reward_space
        self._running = False
        self._shown, self._info = self.pass_order.reset(options=options or {"program": self._next})
        self._costs = Costs(self.pass_order.session)
        self.actions = []
        self._running, self._failed = True, False
        self._began = time.monotonic()
        return self._default_observation(), dict(self._info)

    def step(
        self,
        action: Any,
        *,
        observation_spaces: Iterable[str | ObservationSpec] | None = None,
        reward_spaces: Iterable[str | RewardSpec] | None = None,
    ) -> Step:
        """Apply a flag, or several.

        Args:
            action: The number of a flag, or an iterable of numbers, as ``multistep``.
            observation_spaces: What to return in place of the default: a list of observations.
            reward_spaces: What to return in place of the default: a list of rewards.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode, or it has ended.
            gymnasium.error.InvalidAction: There is no such flag; nothing has run.
            UnknownName: There is no such observation or reward; nothing has run.
        """
        numbers = self.action_space.numbers(action)
        return self._step(numbers, observation_spaces, reward_spaces)

    def multistep(
        self,
        actions: Iterable[int],
        *,
        observation_spaces: Iterable[str | ObservationSpec] | None = None,
        reward_spaces: Iterable[str | RewardSpec] | None = None,
    ) -> Step:
        """Apply flags one after the other; one observation and one reward for all.

        Each flag is one compilation. Arguments and errors are those of ``step``.
        """
        numbers = self.action_space.numbers(actions)
        return self._step(numbers, observation_spaces, reward_spaces)

    def render(self) -> str | None:
        """Return the IR text in render mode ``ansi``."""
        return self.pass_order.session.ir() if self.render_mode == "ansi" else None

    def _step(
        self,
        numbers: list[int],
        observation_spaces: Iterable[str | ObservationSpec] | None,
        reward_spaces: Iterable[str | RewardSpec] | None,
    ) -> Step:
        shown_specs = [self.observation.find(name) for name in observation_spaces or ()]
        reward_specs = [find_reward(name) for name in reward_spaces or ()]
        terminated, truncated = self._apply(numbers)
        observation: Any = [spec.compute(self.pass_order.session) for spec in shown_specs]
        if observation_spaces is None:
            observation = self._default_observation()
        reward: Any = [self._earned(spec) for spec in reward_specs]
        if reward_spaces is None:
            reward = self._earned(self._reward_space) if self._reward_space else 0.0
        return observation, reward, terminated, truncated, dict(self._info)

    def _apply(self, numbers: list[int]) -> tuple[bool, bool]:
        """Run flags until one ends the episode; return whether it terminated or was truncated."""
        if not self._running:
            raise gym.error.ResetNeeded("expected an episode, got none. Call reset() first.")
        costs = self._require_costs()
        costs.begin_step()
        terminated = truncated = changed = False
        try:
            for number in numbers:
                compilations = self.pass_order.meter.compilations
                self._shown, _, terminated, truncated, self._info = self.pass_order.step(
                    self._passes[number]
                )
                # Neither a pass that failed nor one that the budget did not hold is in the module.
                if not terminated and self.pass_order.meter.compilations > compilations:
                    self.actions.append(number)
                changed = changed or self._info["changed"]
                if terminated or truncated:
                    break
        finally:  # Ctrl-C between two passes
            costs.finish_step(changed, self._info["instruction_count"])
        self._running, self._failed = not (terminated or truncated), terminated
        self._info |= {"changed": changed, "action_had_no_effect": not changed}
        self._info["new_action_space"] = False
        if terminated:
            kind, _, details = self._info["error"].partition(": ")
            self._info |= {"error_type": kind, "error_details": details}
        return terminated, truncated

    def _earned(self, spec: RewardSpec) -> float:
        if not self._failed:
            return self.reward[spec]
        costs = self._require_costs()
        session = costs.session
        so_far = spec.of(session, session.initial(spec.metric), costs.before(spec.metric))
        return spec.reward_on_error(so_far)

    def _default_observation(self) -> Any:
        spec = self._observation_space
        if spec is None:
            return None
        # The last pass came back with it, so that a step asks the worker once.
        if spec.id == "Autophase":
            return self._shown.copy()
        return spec.compute(self.pass_order.session)

    def _require_costs(self) -> Costs:
        if self._costs is None:
            raise gym.error.ResetNeeded("expected an episode, got none yet. Call reset() first.")
        return self._costs


def _as_program(benchmark: Program | str | Path) -> Program:
    return benchmark if isinstance(benchmark, Program) else load_program(benchmark)
