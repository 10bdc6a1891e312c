"""``PassOrder-v0`` as Stable-Baselines3 wants it: many at once, steps in C++, masks of actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from llmopt_bench import PassOrderVectorEnv, Program, make_action_set

from .actions import ACTION_NAMES
from .observation import EPISODE, FEATURE_SET, FEATURES, History, observe

MASKS = "action_masks"
"""The method by which sb3-contrib asks for masks."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """How rewards are made."""

    reward: str = "instruction_count_oz"
    """A reward of ``PassOrder-v0``."""
    limit: float = 1.0
    """Rewards beyond it, or below its negative, count only by ``leak``; 0 for no limit."""
    leak: float = 0.001
    record: bool = False
    """Pay for a new smallest size only. The best prefix of an episode is the answer, so what
    makes the program larger costs nothing by itself."""


class AutoPhaseVecEnv(VecEnv):
    """Environments with the actions and observations of AutoPhase.

    An episode ends with its 45th action, when no action can change the program any more, or with
    an error of the compiler. As in Stable-Baselines3, the observation after the last step of an
    episode is the first one of the next, and ``info["terminal_observation"]`` is the last.

    Args:
        programs: What episodes draw from.
        num_envs: How many environments.
        shaping: How rewards are made.
        threads: How many step at a time; the number of available cores if None.
    """

    def __init__(
        self,
        programs: Sequence[Program | str],
        num_envs: int,
        shaping: Shaping | None = None,
        threads: int | None = None,
    ) -> None:
        self._shaping = Shaping() if shaping is None else shaping
        action_set = make_action_set()
        self._envs = PassOrderVectorEnv(
            num_envs,
            threads=threads,
            programs=programs,
            observation=FEATURE_SET,
            reward=self._shaping.reward,
            max_passes=EPISODE,
            action_set=action_set,
        )
        self._numbers = np.array([action_set.index(name) for name in ACTION_NAMES])
        self._history = History(num_envs)
        self._earned = np.zeros(num_envs)
        """Of each episode, by the reward of ``PassOrder-v0``."""
        self._record = np.zeros(num_envs)
        """The most that each episode had earned at any time."""
        self._returns = np.zeros(num_envs)
        """Of each episode, by our own reward."""
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self.failures = 0
        """How many episodes have ended with an error of the compiler; yours to set to 0."""
        size = FEATURES + len(ACTION_NAMES)
        super().__init__(
            num_envs,
            spaces.Box(0.0, 1.0, (size,), dtype=np.float32),
            spaces.Discrete(len(ACTION_NAMES)),
        )

    def reset(self) -> NDArray[np.float32]:
        """Start an episode in every environment."""
        self._features, _ = self._envs.reset(seed=self._seeds)
        self._reset_seeds()
        self._forget(np.ones(self.num_envs, dtype=np.bool_))
        return observe(self._features, self._history.taken)

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take note of the actions."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], list[dict[str, Any]]]:
        """Apply the actions; where an episode ends, start the next."""
        features, earned, terminated, truncated, info = self._envs.step(
            self._numbers[self._actions]
        )
        seen = (features != self._features).any(axis=1)
        self._history.note(self._actions, info["changed"], seen)
        rewards = self._rewards(earned)
        self._returns += rewards
        self._lengths += 1
        self.failures += int(terminated.sum())  # there is no stop action: it was an error
        done = terminated | truncated | self._history.exhausted
        observations = observe(features, self._history.taken)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            for number in map(int, np.flatnonzero(done)):
                infos[number] = self._last_info(number, observations[number], truncated[number])
            features, _ = self._envs.reset(options={"reset_mask": done})
            self._forget(done)
            observations[done] = observe(features, self._history.taken)[done]
        self._features = features
        return observations, rewards, done, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions may change the programs, of shape (environments, actions)."""
        return self._history.useful.copy()

    def close(self) -> None:
        """Free the compilers."""
        self._envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of some environments, or their rows of a method of ours."""
        if attr_name == MASKS:
            return self._some(self.action_masks(), indices)
        return self._some(self._envs.get_attr(attr_name), indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of some environments."""
        for env in self._some(self._envs.envs, indices):
            setattr(env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of some environments."""
        found = self.get_attr(method_name, indices)
        if method_name == MASKS:
            return found
        return [method(*method_args, **method_kwargs) for method in found]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each: these environments have no wrappers."""
        return [False for _ in self._get_indices(indices)]

    def _some(self, items: Iterable[Any], indices: Any) -> list[Any]:
        items = list(items)
        return [items[number] for number in self._get_indices(indices)]

    def _rewards(self, earned: NDArray[np.float64]) -> NDArray[np.float64]:
        shaping = self._shaping
        if shaping.record:
            self._earned += earned
            best = np.maximum(self._record, self._earned)
            earned, self._record = best - self._record, best
        if not shaping.limit:
            return earned
        inside = np.clip(earned, -shaping.limit, shaping.limit)
        return inside + shaping.leak * (earned - inside)

    def _last_info(
        self, number: int, observation: NDArray[np.float32], truncated: bool
    ) -> dict[str, Any]:
        return {
            "terminal_observation": observation.copy(),
            "TimeLimit.truncated": bool(truncated and not self._history.exhausted[number]),
            # What Stable-Baselines3 logs of episodes, otherwise by its wrapper `Monitor`.
            "episode": {"r": float(self._returns[number]), "l": int(self._lengths[number])},
        }

    def _forget(self, episodes: NDArray[np.bool_]) -> None:
        self._history.forget(episodes)
        for row in (self._earned, self._record, self._returns, self._lengths):
            row[episodes] = 0
