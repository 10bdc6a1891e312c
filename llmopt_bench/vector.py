"""The vector environment: many ``PassOrder-v0`` that step in parallel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from numpy.typing import NDArray

from llmopt_bench.env import PassOrderEnv
from llmopt_bench.episode import Step
from llmopt_bench.lockstep import Lockstep


class PassOrderVectorEnv(VectorEnv[Any, Any, Any]):
    """Steps ``num_envs`` environments at once, each in its worker process.

    Autoreset is next-step, Gymnasium's default: the step after an episode's end resets that
    environment, ignores its action and gives reward 0.

    Observations, rewards and flags are those of ``PassOrderEnv``, batched; ``info`` as
    Gymnasium's vector environments give it.

    Args:
        num_envs: How many environments.
        threads: How many step at a time; the number of available cores, at most ``num_envs``,
            if None.
        **options: As for ``PassOrderEnv``; each environment draws its own programs. A ``meter``
            is shared by all.
    """

    metadata = {  # noqa: RUF012  (an instance variable in the base class)
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(self, num_envs: int = 1, *, threads: int | None = None, **options: Any) -> None:
        if num_envs < 1:
            raise ValueError(f"expected at least one environment, got num_envs={num_envs}.")
        self.envs = [PassOrderEnv(**options) for _ in range(num_envs)]
        self.num_envs = num_envs
        first = self.envs[0]
        self.single_action_space = first.action_space
        self.single_observation_space = first.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        cores = len(os.sched_getaffinity(0))
        self._lockstep = Lockstep(min(threads or cores, num_envs))
        self._to_reset = np.ones(num_envs, dtype=np.bool_)
        self._needs_autophase = first.needs_autophase

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: One for each environment, or one from which the others count up.
            options: As for ``PassOrderEnv.reset``.
        """
        seeds = self._seeds(seed)
        options = dict(options or {})
        mask = options.pop("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        observations = list(getattr(self, "_observations", [None] * self.num_envs))
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        for number, env in enumerate(self.envs):
            if mask[number]:
                observations[number], infos[number] = env.reset(seed=seeds[number], options=options)
        if any(observation is None for observation in observations):
            raise gym.error.ResetNeeded(
                "expected every environment to have had an episode before some are reset. "
                "Call reset() without reset_mask first."
            )
        self._to_reset &= ~np.asarray(mask, dtype=np.bool_)
        return self._batch(observations), batch_infos(infos)

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Apply one action in each environment.

        Raises:
            gymnasium.error.InvalidAction: An action does not exist; no environment has stepped.
        """
        self._check(actions)
        steps = self._run(np.asarray(actions))
        rewards = np.array([step[1] for step in steps], dtype=np.float64)
        terminated = np.array([step[2] for step in steps], dtype=np.bool_)
        truncated = np.array([step[3] for step in steps], dtype=np.bool_)
        self._to_reset = terminated | truncated
        infos = batch_infos([step[4] for step in steps])
        return self._batch([step[0] for step in steps]), rewards, terminated, truncated, infos

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return an attribute, or the result of a method, of each environment."""
        found = [getattr(env, name) for env in self.envs]
        return tuple(item(*args, **kwargs) if callable(item) else item for item in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each environment."""
        return tuple(getattr(env, name) for env in self.envs)

    def _run(self, actions: NDArray[Any]) -> list[Step]:
        steps: dict[int, Step] = {}
        jobs: dict[int, str] = {}
        for number, env in enumerate(self.envs):
            if self._to_reset[number]:
                observation, info = env.reset()
                steps[number] = (observation, 0.0, False, False, info)
            elif job := env.begin_step(actions[number]):
                jobs[number] = job
            else:
                steps[number] = env.finish_step(None)
        steps |= self._run_jobs(jobs)
        return [steps[number] for number in range(self.num_envs)]

    def _run_jobs(self, jobs: dict[int, str]) -> dict[int, Step]:
        features = np.empty((len(jobs), 56), dtype=np.int64) if self._needs_autophase else None
        sessions = [self.envs[number].session for number in jobs]
        results = self._lockstep.step(sessions, list(jobs.values()), features)
        rows = [None] * len(jobs) if features is None else list(features)
        return {
            number: self.envs[number].finish_step(result, row)
            for number, result, row in zip(jobs, results, rows, strict=True)
        }

    def _check(self, actions: Any) -> None:
        if len(actions) != self.num_envs:
            raise gym.error.InvalidAction(
                f"expected {self.num_envs} actions, one for each environment, got {len(actions)}."
            )
        for number, action in enumerate(actions):
            if not self._to_reset[number] and action not in self.single_action_space:
                raise gym.error.InvalidAction(
                    f"expected an action of {self.single_action_space} for environment {number}, "
                    f"got {action!r}."
                )

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            return [seed + number for number in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} seeds, got {len(seed)}.")
        return list(seed)

    def _batch(self, observations: list[Any]) -> Any:
        self._observations = observations
        out: Any = create_empty_array(self.single_observation_space, self.num_envs)
        return concatenate(self.single_observation_space, observations, out)


_DTYPES: dict[type, Any] = {int: np.int64, bool: np.bool_}


def batch_infos(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what ``VectorEnv._add_info`` makes of these, key by key in place of one by one.

    Each key becomes an array with an entry for each environment, and ``_key`` says which
    environments had it. The order of keys does not matter; missing entries are zero or None.
    """
    batched: dict[str, Any] = {}
    for key in dict.fromkeys(key for info in infos for key in info):
        has = np.array([key in info for info in infos], dtype=np.bool_)
        values = [info.get(key) for info in infos]
        dtype = _DTYPES.get(type(values[int(has.argmax())]), object)
        batched[key] = np.array(
            [value or 0 for value in values] if dtype is not object else values, dtype=dtype
        )
        batched["_" + key] = has
    return batched
