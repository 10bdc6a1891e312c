"""The agent ``autophase``: a trained policy takes 45 steps, and the best prefix is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from llmopt_bench import ActionSet, PassList, PassOrderEnv, make_action_set

from .actions import ACTION_NAMES
from .observation import EPISODE, FEATURE_SET, History, observe
from .policy import Policy, load_policy

SHIPPED = Path(__file__).with_name("autophase-v1.safetensors")
ANSWERS = ("best", "last")


@dataclass(frozen=True)
class AutoPhase:
    """AutoPhase (Haj-Ali et al., MLSys 2020), as CompilerGym made an agent for size of it.

    A policy sees the program's features and its own actions so far, and takes the action that it
    thinks most of, ``episode`` times. Each step is one compilation. It ends earlier when no action
    can change the program any more.
    """

    version: ClassVar[str] = "1"
    model: str | None = None
    """The file of a policy that ``llmopt-bench train autophase`` wrote; None for the one that
    comes with the library."""
    episode: int = EPISODE
    answer: str = "best"
    """``best``: the prefix of the episode with the smallest program; ``last``: all of it."""

    def __post_init__(self) -> None:
        """Check the settings, and that the model is good."""
        if self.episode < 1:
            raise ValueError(f"episode must be 1 or more, got {self.episode}")
        if self.answer not in ANSWERS:
            raise ValueError(f"answer must be one of {', '.join(ANSWERS)}, got {self.answer!r}")
        self._policy(make_action_set())

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The program sets that the model was trained on."""
        return self._policy(make_action_set()).data

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best prefix of an episode, within the budget.

        Raises:
            BadModel: The model was trained for another action set than the environment's.
        """
        names, best = follow(self._policy(env.action_set), env, self.episode)
        length = best if self.answer == "best" else len(names)
        return PassList(names[:length], env.action_set)

    def _policy(self, action_set: ActionSet) -> Policy:
        path = SHIPPED if self.model is None else Path(self.model)
        return _load(path, path.stat().st_mtime_ns if path.exists() else 0, action_set)


@lru_cache(maxsize=8)
def _load(path: Path, changed: int, action_set: ActionSet) -> Policy:
    """Keep a policy at hand; one that was trained since is another."""
    return load_policy(path, action_set)


def follow(policy: Policy, env: PassOrderEnv, steps: int = EPISODE) -> tuple[list[str], int]:
    """Let a policy step an environment that has just been reset, as far as its budget goes.

    Returns:
        The actions, and how many of them from the first give the smallest program.
    """
    numbers = [env.action_set.index(name) for name in ACTION_NAMES]
    history = History(1)
    names: list[str] = []
    best = (env.value, 0)
    features = env.session.features(FEATURE_SET)
    while len(names) < steps and env.meter.remaining != 0 and not history.exhausted[0]:
        actions = policy.act(observe(features[None], history.taken), history.useful)
        _, _, terminated, truncated, info = env.step(numbers[actions[0]])
        if terminated:  # an error of the compiler; the program is as it was before
            break
        names.append(ACTION_NAMES[actions[0]])
        before, features = features, env.session.features(FEATURE_SET)
        seen = np.any(features != before, keepdims=True)
        history.note(actions, np.array([info["changed"]]), seen)
        best = min(best, (env.value, len(names)))
        if truncated:
            break
    return names, best[1]
