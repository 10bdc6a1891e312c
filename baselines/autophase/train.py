"""Trains the policy of the agent ``autophase``: ``llmopt-bench train autophase``.

A training is a row of rounds. Each begins with fresh episodes, and with random numbers that depend
on the seed and on how many rounds there were, and ends with a validation and a checkpoint. So a
training that was interrupted and resumed gives the same weights as one that was not.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from llmopt_bench import (
    BadTraining,
    Program,
    Trained,
    TrainJob,
    make_action_set,
    train_settings,
    write_whole,
)

from .algorithms import MASKED, begin_round, make_algorithm, network_of, restore, state_of
from .policy import policy_of, save_policy
from .programs import Mixture, draw, hash_of
from .validation import validate
from .vec_env import AutoPhaseVecEnv, Shaping

DATA = ("corpus-train-v1",)
"""What is learnt from unless the job says otherwise."""


_COUNTS = (
    *("steps", "round_steps", "num_envs", "hidden", "episodes_per_update", "epochs"),
    *("minibatches", "batch_size", "buffer_size", "target_update"),
    *("programs", "generated_programs", "validation_programs"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a training; the defaults are those of the model that comes along."""

    algorithm: str = MASKED
    """``ppo``, ``maskable-ppo`` or ``dqn``."""
    steps: int = 1_152_000
    """The end: so many compilations."""
    round_steps: int = 230_400
    """Compilations from one checkpoint to the next."""
    num_envs: int = 32
    """The policy takes as long for 32 as for one, and then less than their step."""
    threads: int = 0
    """How many environments step at a time; 0 for the number of cores."""
    device: str = "cpu"
    """Where the network is, in PyTorch's words; ``auto`` takes a GPU. It is so small that the way
    to a GPU costs more than the GPU saves."""
    hidden: int = 256
    """Units in each of its two layers."""
    learning_rate: float = 3e-4
    anneal: bool = True
    """Whether the learning rate of PPO falls to nothing over ``steps``."""
    gamma: float = 0.95

    # PPO
    episodes_per_update: int = 2
    """Of each environment."""
    epochs: int = 4
    minibatches: int = 4
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.003

    # DQN
    batch_size: int = 256
    buffer_size: int = 100_000
    exploration: float = 0.1
    """The share of random actions."""
    target_update: int = 5_000
    """Compilations from one copy of the network to the next."""

    # Rewards, see Shaping
    reward: str = "instruction_count_oz"
    reward_limit: float = 1.0
    reward_leak: float = 0.001
    reward_record: bool = True

    # Programs
    programs: int = 20_000
    """The most programs to learn from."""
    generated_programs: int = 100
    """The most different programs of a generator, such as Csmith: seconds go into each."""
    generated_share: float = 0.02
    """The part of ``programs`` that they make up, if the data names other datasets, too. A step
    of such a program takes five times as long as one of a function of the corpus."""
    max_bytes: int = 65_536
    """Programs with larger bitcode are left out."""
    validation: str = "corpus-validation-v1"
    validation_programs: int = 1_000

    def __post_init__(self) -> None:
        """Check what no library below checks in words."""
        known = ("ppo", MASKED, "dqn")
        if self.algorithm not in known:
            raise ValueError(f"algorithm must be one of {', '.join(known)}, got {self.algorithm!r}")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.generated_share <= 1:
            raise ValueError(f"generated_share must be from 0 to 1, got {self.generated_share}")


def train(job: TrainJob) -> Trained:
    """Train a policy until ``job.max_minutes`` or the configured steps are over.

    The folder then holds ``model.safetensors``, the policy of the round that was best in
    validation; ``curve.jsonl``, a line for each round; ``checkpoint.pt``; and ``tensorboard``,
    where that is installed.

    Raises:
        BadTraining: A setting is unknown or refused, or the checkpoint is of another training.
        UnknownName, NotBuilt, MissingTool: A dataset is not there.
    """
    # More threads make these small networks slower, and results differ with their number.
    torch.set_num_threads(1)
    deadline = None if job.max_minutes is None else time.monotonic() + 60 * job.max_minutes
    config = train_settings(job, Config)
    names = job.data or DATA
    # The same programs whatever the seed, so that seeds tell about training alone.
    mixture = Mixture(
        config.programs, config.generated_programs, config.generated_share, config.max_bytes
    )
    data = mixture.draw(names, seed=0)
    unseen = draw(config.validation, config.validation_programs, 0, config.max_bytes)
    shaping = Shaping(config.reward, config.reward_limit, config.reward_leak, config.reward_record)
    env = AutoPhaseVecEnv(data, config.num_envs, shaping, config.threads or None)
    logger = configure(str(job.out / "tensorboard"), _log_formats())
    try:
        learner = make_algorithm(env, config, job.seed)
        learner.set_logger(logger)
        training = _Training(job, config, env, learner)
        about = {"data": list(names), "programs": len(data), "programs_sha256": hash_of(data)}
        return training.run(unseen, about, deadline)
    finally:
        logger.close()
        env.close()


class _Training:
    """The rounds of one job."""

    def __init__(
        self, job: TrainJob, config: Config, env: AutoPhaseVecEnv, learner: BaseAlgorithm
    ) -> None:
        self._job = job
        self._config = config
        self._env = env
        self._learner = learner
        self._curve: list[dict[str, Any]] = []
        if job.resume:
            self._resume()

    def run(
        self, unseen: Sequence[Program], about: Mapping[str, Any], deadline: float | None
    ) -> Trained:
        """Go on with rounds until the steps, or the next round, would be too many."""
        longest = 0.0
        began = time.monotonic()
        while self._learner.num_timesteps < self._config.steps:
            if self._curve and deadline is not None and began + longest > deadline:
                break
            self._learn(_Progress(self._job, self._config.steps, deadline))
            self._close_round(unseen, about, time.monotonic() - began)
            longest = max(longest, time.monotonic() - began)
            began = time.monotonic()
        return Trained(self._model, self._best["validation"])

    @property
    def _model(self) -> Path:
        return self._job.out / "model.safetensors"

    @property
    def _checkpoint(self) -> Path:
        return self._job.out / "checkpoint.pt"

    @property
    def _best(self) -> dict[str, Any]:
        return max(self._curve, key=lambda row: row["validation"]["overall_improvement"])

    def _learn(self, progress: BaseCallback) -> None:
        left = self._config.steps - self._learner.num_timesteps
        seed = np.random.SeedSequence([self._job.seed, len(self._curve)]).generate_state(1)[0]
        begin_round(self._learner, self._env, int(seed) >> 1)
        self._env.failures = 0
        self._learner.learn(
            min(left, self._config.round_steps), callback=progress, reset_num_timesteps=False
        )

    def _close_round(
        self, unseen: Sequence[Program], about: Mapping[str, Any], seconds: float
    ) -> None:
        tensors = network_of(self._learner)
        masked = self._config.algorithm == MASKED
        scores = validate(policy_of(tensors, masked), unseen)
        before = self._curve[-1]["seconds"] if self._curve else 0.0
        row = {
            "round": len(self._curve) + 1,
            "steps": self._learner.num_timesteps,
            "seconds": round(before + seconds, 1),  # of learning alone
            "failures": self._env.failures,
            "validation": scores,
        }
        self._curve.append(row)
        for name, score in scores.items():
            self._learner.logger.record(f"validation/{name}", score)
        self._learner.logger.dump(self._learner.num_timesteps)
        if self._best is row:
            facts = {**about, **row, "seed": self._job.seed, "settings": asdict(self._config)}
            save_policy(self._model, tensors, masked, facts, make_action_set())
        lines = "".join(f"{json.dumps(row)}\n" for row in self._curve)
        write_whole(self._job.out / "curve.jsonl", lines.encode())
        write_whole(self._checkpoint, state_of(self._learner, {"curve": self._curve}))

    def _resume(self) -> None:
        if not self._checkpoint.exists():  # it ended in its first round
            return
        try:
            self._curve = restore(self._learner, self._checkpoint.read_bytes())["curve"]
        except Exception as error:
            raise BadTraining(
                f"expected a checkpoint of this training in {self._checkpoint}, got "
                f"{type(error).__name__}: {str(error)[:200]}. Begin again in another folder."
            ) from error


class _Progress(BaseCallback):
    """Tells the job how far the training is, at most once a second."""

    def __init__(self, job: TrainJob, steps: int, deadline: float | None) -> None:
        super().__init__()
        self._report = job.report
        self._steps = steps
        self._deadline = deadline
        self._seconds = 60 * (job.max_minutes or 0.0)
        self._last = 0.0

    def _on_step(self) -> bool:
        now = time.monotonic()
        if now >= self._last + 1:
            self._last = now
            done = self.num_timesteps / self._steps
            if self._deadline is not None:
                done = max(done, 1 - (self._deadline - now) / self._seconds)
            self._report(min(max(done, 0.0), 1.0), f"{self.num_timesteps:,} steps")
        return True


def _log_formats() -> list[str]:
    return ["tensorboard"] if importlib.util.find_spec("tensorboard") else []
