"""The episode of an environment: how actions become passes, rewards and observations."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from llmopt_bench.action_set import ActionSet
from llmopt_bench.anytime import Curve
from llmopt_bench.budget import Meter
from llmopt_bench.errors import CompilerError, LlmoptError, shown
from llmopt_bench.isolation import Isolation
from llmopt_bench.observations import Features, Observation
from llmopt_bench.passes import PassList
from llmopt_bench.program import Program
from llmopt_bench.rewards import Reward
from llmopt_bench.session import Session
from llmopt_bench.session_cache import SessionCache

Step = tuple[Any, float, bool, bool, dict[str, Any]]
"""What ``step`` returns: observation, reward, terminated, truncated, info."""


class EpisodeEnv(gym.Env[Any, Any]):
    """The Gymnasium part of ``PassOrderEnv``, which documents it.

    Args:
        programs: What episodes draw from.
        observation: What a step shows.
        reward: What a step earns.
        metric: What search is after.
        action_set: The actions.
        budget: The most compilations of an episode, if there is no ``meter``.
        max_passes: The most passes of an episode.
        meter: The account of all episodes.
        isolation: The limits of the compiler.
    """

    def __init__(
        self,
        programs: Sequence[Program | str],
        *,
        observation: Observation,
        reward: Reward,
        metric: str,
        action_set: ActionSet,
        budget: int | None,
        max_passes: int | None,
        meter: Meter | None,
        isolation: Isolation | None,
    ) -> None:
        self.action_set = action_set
        self.metric = metric
        self.max_passes = max_passes
        self._programs = list(programs)
        self._budget = budget
        self._own_account = meter is None
        self.meter = Meter(budget) if meter is None else meter
        self._observation = observation
        self._compute = observation.compute
        self._reward = reward
        self._isolation = isolation
        self._sessions = SessionCache(metric, action_set, isolation)
        self._pipelines = action_set.pipelines
        self._stop = len(action_set)
        self.action_space: spaces.Space[Any] = spaces.Discrete(self._stop + 1)
        self.observation_space = observation.space
        self._session: Session | None = None
        self._curve_of: str | None = None
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seeds ``np_random``, from which the program is drawn.
            options: ``program``: a program, URI or path for this episode.

        Raises:
            BadProgram, UnknownProgram: It cannot be loaded.
            ValueError: There are other options.
        """
        super().reset(seed=seed)
        chosen = _program_of(options)
        if chosen is None:
            chosen = self._programs[0]
            if len(self._programs) > 1:
                chosen = self._programs[self.np_random.integers(len(self._programs))]
        self._session = self._sessions.open(chosen)
        if self._own_account:
            self.meter = Meter(self._budget)
        if self._own_account or self._curve_of != self._session.program.sha256:
            self._curve = Curve(self._session.initial())
            self._curve_of = self._session.program.sha256
        self._actions: list[int] = []
        self._text = ""
        self._uri = self._session.program.uri
        self._count = self._session.initial("instruction_count")
        self._before = self._session.initial(self._reward.metric)
        self._running = True
        return self._observe(self._initial_features()), self._info(changed=False)

    def step(self, action: Any) -> Step:
        """Apply one action; see the class.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode, or it has ended.
            gymnasium.error.InvalidAction: There is no such action.
        """
        job = self.begin_step(action)
        if job is None:
            return self.finish_step(None)
        features = np.empty(56, dtype=np.int64) if self._observation.needs_autophase else None
        try:
            result = self._session.step(job, features)  # type: ignore[union-attr]
        except CompilerError as error:
            return self.finish_step(error)
        except BaseException:  # Ctrl-C; the pass is paid, and not in the module
            self._take_back()
            raise
        return self.finish_step(result, features)

    # A step in two halves, so that the vector environment can run the passes of many at once. The
    # caches are full of LLVM's data when a pass is done, so every line here costs several times
    # what it costs in a loop of its own.

    def begin_step(self, action: Any) -> str | None:
        """Charge and note an action; return the pipeline to run.

        None when there is nothing to run: the action was stop, or the budget is spent.
        """
        if not self._running:
            self._require_episode()
        try:
            number = self._last = operator.index(action)
        except TypeError:
            self._refuse(action)
        if not 0 <= number < self._stop:
            if number != self._stop:
                self._refuse(action)
            return None
        self._left = self.meter.take()
        if self._left < 0:
            return None
        pipeline = self._pipelines[number]
        self._actions.append(number)
        self._text = f"{self._text},{pipeline}" if self._text else pipeline
        return pipeline

    def finish_step(
        self,
        result: tuple[bool, int] | CompilerError | None,
        features: Features | None = None,
    ) -> Step:
        """Return what ``step`` returns, from what the session's step gave."""
        if not isinstance(result, tuple):
            return self._finish_without_run(result)
        changed, self._count = result
        if changed and self._count < self._curve.best and self.metric == "instruction_count":
            self._curve.note(self.meter.compilations, self._count, self.pass_list)
        truncated = self._left == 0 or len(self._actions) == self.max_passes
        if truncated:
            self._running = False
        reward = self._earn() if changed else 0.0
        observation = self._compute(self._session, self._count, features, self._actions)  # type: ignore[arg-type]
        return observation, reward, False, truncated, self._info(changed)

    def _finish_without_run(self, result: CompilerError | None) -> Step:
        self._running = False
        if result is not None:
            self._take_back()
            return self._end_with(result, reward=0.0)
        stopped = self._last == self._stop
        return self._observe(self._features()), 0.0, stopped, not stopped, self._info(False)

    def _take_back(self) -> None:
        """Forget the last action: the session is where it was before, and so is the episode."""
        actions, self._actions, self._text = self._actions[:-1], [], ""
        self._note(actions)

    def answer(self, passes: PassList) -> Step:
        """Apply a whole list as the answer, free of charge, and end the episode.

        Raises:
            CompilerError: LLVM reported an error; the episode goes on where it was.
        """
        session = self._require_episode()
        changed = session.apply(passes)
        self._note([self.action_set.index(name) for name in passes])
        self._count = session.instruction_count
        self._running = False
        return self._observe(self._features()), self._earn(), True, False, self._info(changed)

    def answer_error(self, error: LlmoptError, reward: float = 0.0) -> Step:
        """End the episode with an error in ``info``; the module is as it was before."""
        self._require_episode()
        return self._end_with(error, reward)

    def _end_with(self, error: LlmoptError, reward: float) -> Step:
        self._running = False
        info = self._info(changed=False)
        info["error"] = f"{type(error).__name__}: {error}"
        return self._observe(self._features()), reward, True, False, info

    @property
    def pass_list(self) -> PassList:
        """The passes that this episode applied."""
        names = self.action_set.names
        return PassList([names[number] for number in self._actions], self.action_set)

    @property
    def needs_autophase(self) -> bool:
        """Whether ``finish_step`` is to be given the Autophase features of a step."""
        return self._observation.needs_autophase

    def _require_program(self) -> Session:
        if self._session is None:
            raise gym.error.ResetNeeded("expected an episode, got none yet. Call reset() first.")
        return self._session

    def _require_episode(self) -> Session:
        session = self._require_program()
        if not self._running:
            raise gym.error.ResetNeeded("the episode has ended. Call reset() to start another.")
        return session

    def _refuse(self, action: Any) -> NoReturn:
        raise gym.error.InvalidAction(
            f"expected an action from 0 to {self._stop} (stop), got {shown(action)}. "
            "`action_names` lists them."
        )

    def _note(self, actions: Sequence[int]) -> None:
        self._actions.extend(actions)
        texts = [self._text] if self._text else []
        self._text = ",".join(texts + [self._pipelines[number] for number in actions])

    def _earn(self) -> float:
        """Return the reward of what has changed since it was last asked."""
        reward = self._reward
        if reward.name == "instruction_count":
            before, self._before = self._before, self._count
            return float(before - self._count)
        session = self._require_program()
        after = self._count if reward.metric == "instruction_count" else session.text_size
        before, self._before = self._before, after
        return reward.of(before, after, self._gain_of_oz)

    def _gain_of_oz(self) -> int:
        session, metric = self._require_program(), self._reward.metric
        return session.initial(metric) - session.reference("Oz", metric)

    def _replay(self, actions: list[int]) -> None:
        """Bring the episode to the state after ``actions``, as if no other had been taken."""
        session = self._require_program()
        session.reset()
        self._actions, self._text = [], ""
        self._note(actions)
        if self._text:
            session.apply(self.pass_list)
        self._count = session.instruction_count
        self._before = session.measure(self._reward.metric)

    def _features(self) -> Features | None:
        if not self._observation.needs_autophase:
            return None
        return self._require_program().features("autophase")

    def _initial_features(self) -> Features | None:
        if not self._observation.needs_autophase:
            return None
        return self._sessions.initial_features(self._require_program())

    def _observe(self, features: Features | None) -> Any:
        return self._compute(self._session, self._count, features, self._actions)  # type: ignore[arg-type]

    def _info(self, changed: bool) -> dict[str, Any]:
        return {
            "instruction_count": self._count,
            "compilations": self.meter.compilations,
            "pass_list": self._text,
            "changed": changed,
            "program": self._uri,
        }


def _program_of(options: object) -> Program | str | None:
    """Return the program that the options of ``reset`` name, if they do."""
    options = {} if options is None else options
    if not isinstance(options, Mapping) or options.keys() - {"program"}:
        raise ValueError(f'expected options like {{"program": URI}}, got {shown(options)}.')
    program = options.get("program")
    if isinstance(program, Path):
        return str(program)
    if program is not None and not isinstance(program, Program | str):
        raise ValueError(f"expected a Program, a URI or a path, got {shown(program)}.")
    return program
