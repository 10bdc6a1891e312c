"""What it costs to collect experience: AutoPhase's rollouts against the bare vector environment."""

from __future__ import annotations

import importlib
import time

import numpy as np
import pytest

from llmopt_bench import PassOrderVectorEnv, make_action_set, make_dataset

pytest.importorskip("stable_baselines3", reason="needs the extra rl")
pytest.importorskip("sb3_contrib", reason="needs the extra rl")

EPISODE = 45
ROUNDS = 5


class Collector:
    """Collects rollouts with a fresh policy, and can do their work again without learning."""

    def __init__(self, programs, algorithm):
        part = "llmopt_bench.baselines.autophase."
        names = importlib.import_module(part + "actions").ACTION_NAMES
        self._numbers = np.array([make_action_set().index(name) for name in names])
        config = importlib.import_module(part + "train").Config(algorithm=algorithm)
        vec_env = importlib.import_module(part + "vec_env").AutoPhaseVecEnv
        self._env = vec_env(programs, config.num_envs)
        self._learner = importlib.import_module(part + "algorithms").make_algorithm(
            self._env, config, seed=0
        )
        self._bare = PassOrderVectorEnv(
            config.num_envs, programs=programs, reward="instruction_count_oz", max_passes=EPISODE
        )

    def seconds(self, seed: int) -> float:
        """Return how long a rollout takes, from the reset on."""
        learner = self._learner
        start = time.perf_counter()
        self._env.seed(seed)
        learner.set_env(self._env)
        _, callback = learner._setup_learn(10**9)
        learner.collect_rollouts(learner.env, callback, learner.rollout_buffer, learner.n_steps)
        return time.perf_counter() - start

    def bare_seconds(self, seed: int) -> float:
        """Return how long its steps and resets take in the bare vector environment."""
        buffer = self._learner.rollout_buffer
        envs = self._env.num_envs
        actions = self._numbers[buffer.actions.reshape(-1, envs).astype(int)]
        starts = buffer.episode_starts.reshape(-1, envs).astype(bool)
        start = time.perf_counter()
        self._bare.reset(seed=seed)
        for number, row in enumerate(actions):
            if number and starts[number].any():
                self._bare.reset(options={"reset_mask": starts[number]})
            self._bare.step(row)
        return time.perf_counter() - start

    @property
    def steps(self) -> int:
        return self._learner.n_steps * self._env.num_envs


@pytest.mark.parametrize("algorithm", ["ppo", "maskable-ppo"])
def test_collecting_runs_at_half_the_bare_rate(algorithm, capsys):
    collector = Collector(list(make_dataset("bundled-functions-v1"))[::5], algorithm)
    pairs = []
    for seed in range(ROUNDS):
        collector.seconds(seed)  # both have then read the programs
        collector.bare_seconds(seed)
        pairs.append((collector.seconds(seed), collector.bare_seconds(seed)))
    collected, bare = map(np.median, zip(*pairs, strict=True))
    with capsys.disabled():
        print(
            f"\n{algorithm}: {collector.steps / collected:,.0f} of "
            f"{collector.steps / bare:,.0f} steps a second: {bare / collected:.2f}"
        )
    assert bare / collected >= 0.5
