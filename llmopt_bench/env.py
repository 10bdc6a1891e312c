"""``PassOrder-v0``: choose one pass after another."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, overload

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from llmopt_bench import _core
from llmopt_bench.action_set import ActionSet, make_action_set
from llmopt_bench.budget import Meter
from llmopt_bench.errors import CompilerError
from llmopt_bench.observations import Features, make_observation
from llmopt_bench.passes import PassList, as_pass_list
from llmopt_bench.program import Program
from llmopt_bench.rewards import make_reward
from llmopt_bench.session import Session, check_metric
from llmopt_bench.session_cache import SessionCache

DEFAULT_PROGRAM = "bundled-v1/crc_family"


class PassOrderEnv(gym.Env[Any, Any]):
    """Make a program small by choosing passes, one at each step.

    **Action**: ``Discrete(n + 1)``: the number of an action of the action set (``action_names``),
    or ``n`` to stop.

    **Observation**: see ``make_observation``; several names give a ``Dict``.

    **Reward**: see ``make_reward``; what the step saved.

    **Episode end**: ``terminated`` by the stop action, or by an error of the compiler, which
    ``info["error"]`` then tells; ``truncated`` when ``max_passes`` were applied or the budget is
    spent.

    **Info**: ``instruction_count`` (int), ``compilations`` (int, on the meter), ``pass_list``
    (text of the episode's list), ``changed`` (bool, whether the last pass reported a change),
    ``program`` (URI); after an error also ``error``.

    Every step is one compilation. With ``budget`` each reset opens a new account; with ``meter``
    the account is the caller's and outlives resets.

    Args:
        program: The program of every episode: a ``Program``, URI or path.
        programs: Several of them; each episode draws one. ``reset(options={"program": uri})``
            overrides both.
        observation: One name, or several.
        reward: Name of the reward.
        metric: What ``value``, ``initial``, ``oz`` and ``evaluate`` are in:
            ``instruction_count`` or ``text_size``.
        action_set: An action set, or the name of one.
        budget: The most compilations of an episode; None for no limit.
        max_passes: The most passes of an episode; None for no limit.
        meter: An account to charge in place of one for each episode.
        render_mode: ``ansi``: ``render`` returns the IR text.

    Raises:
        BadProgram, UnknownProgram: A program cannot be loaded.
        UnknownName: There is no such observation, reward, metric or action set.

    Example:
        >>> import gymnasium, llmopt_bench
        >>> env = gymnasium.make("llmopt_bench/PassOrder-v0", program="bundled-v1/crc_family")
        >>> observation, info = env.reset(seed=0)
        >>> action = env.unwrapped.action_names.index("mem2reg")
        >>> observation, reward, terminated, truncated, info = env.step(action)
        >>> reward > 0
        True
    """

    metadata = {  # noqa: RUF012  (an instance variable in the base class)
        "render_modes": ["ansi"],
        "render_fps": 1,
    }

    def __init__(
        self,
        program: Program | str | None = None,
        *,
        programs: Sequence[Program | str] | None = None,
        observation: str | Sequence[str] = "autophase",
        reward: str = "instruction_count",
        metric: str = "instruction_count",
        action_set: str | ActionSet = "passes-v1",
        budget: int | None = None,
        max_passes: int | None = None,
        meter: Meter | None = None,
        render_mode: str | None = None,
    ) -> None:
        if program is not None and programs is not None:
            raise ValueError("expected program or programs, got both. Give one of them.")
        if programs is not None and not programs:
            raise ValueError("expected at least one program, got an empty list.")
        if budget is not None and meter is not None:
            raise ValueError("expected budget or meter, got both. Give Meter(budget) alone.")
        self.action_set = (
            action_set if isinstance(action_set, ActionSet) else make_action_set(action_set)
        )
        self.metric = check_metric(metric)
        self.max_passes = max_passes
        self.render_mode = render_mode
        self._programs = list(programs) if programs is not None else [program or DEFAULT_PROGRAM]
        self._budget = budget
        self._own_account = meter is None
        self.meter = Meter(budget) if meter is None else meter
        self._observation = make_observation(observation, len(self.action_set), max_passes)
        self._compute = self._observation.compute
        self._reward = make_reward(reward)
        self._sessions = SessionCache(self.metric, self.action_set)
        self._pipelines = self.action_set.pipelines
        self._stop = len(self.action_set)
        self.action_space: spaces.Space[Any] = spaces.Discrete(self._stop + 1)
        self.observation_space = self._observation.space
        self._session: Session | None = None
        self._running = False

    # The episode.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seeds ``np_random``, from which the program is drawn.
            options: ``program``: a program, URI or path for this episode.
        """
        super().reset(seed=seed)
        chosen = (options or {}).get("program")
        if chosen is None:
            chosen = self._programs[0]
            if len(self._programs) > 1:
                chosen = self._programs[self.np_random.integers(len(self._programs))]
        self._session = self._sessions.open(chosen)
        if self._own_account:
            self.meter = Meter(self._budget)
        self._actions: list[int] = []
        self._text = ""
        self._uri = self._session.program.uri
        self._count = self._session.initial("instruction_count")
        self._before = self._session.initial(self._reward.metric)
        self._running = True
        return self._observe(self._initial_features()), self._info(changed=False)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
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
            return self.finish_step(job[0].step(job[1], features), features)
        except CompilerError as error:
            return self.finish_step(error)

    # A step in two halves, so that the vector environment can run the passes of many at once. The
    # caches are full of LLVM's data when a pass is done, so every line here costs several times
    # what it costs in a loop of its own.

    def begin_step(self, action: Any) -> tuple[_core.Module, str] | None:
        """Charge and note an action; return the module and the pipeline to run on it.

        None when there is nothing to run: the action was stop, or the budget is spent.
        """
        if not self._running:
            self._require_episode()
        number = self._last = int(action)
        if not 0 <= number < self._stop:
            self._check_stop(number)
            return None
        if self.meter.exhausted:
            return None
        self.meter.spend(1, 1)
        pipeline = self._pipelines[number]
        self._actions.append(number)
        self._text = f"{self._text},{pipeline}" if self._text else pipeline
        return self._session.writable_module(), pipeline  # type: ignore[union-attr]

    def finish_step(
        self,
        result: tuple[bool, int] | CompilerError | None,
        features: Features | None = None,
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return what ``step`` returns, from what the module's run gave."""
        if not isinstance(result, tuple):
            return self._finish_without_run(result)
        changed, count = result
        if self._reward.name == "instruction_count":
            reward = float(self._count - count)
            self._count = count
        else:
            self._count = count
            reward = self._earn()
        truncated = self.meter.exhausted or len(self._actions) == self.max_passes
        if truncated:
            self._running = False
        return self._observe(features), reward, False, truncated, self._info(changed)

    def _finish_without_run(
        self, result: CompilerError | None
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._running = False
        if result is not None:
            # The state before the failed pass is what counts.
            self._replay(self._actions[:-1])
            self._running = True
            return self.answer_error(str(result))
        stopped = self._last == self._stop
        return self._observe(self._features()), 0.0, stopped, not stopped, self._info(False)

    def answer(self, passes: PassList) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Apply a whole list as the answer, free of charge, and end the episode.

        Raises:
            CompilerError: LLVM reported an error; the episode goes on where it was.
        """
        session = self._require_episode()
        earlier = list(self._actions)
        try:
            changed = session.apply(passes)
        except CompilerError:
            self._replay(earlier)
            raise
        self._note([self.action_set.index(name) for name in passes])
        self._count = session.instruction_count
        self._running = False
        return self._observe(self._features()), self._earn(), True, False, self._info(changed)

    def answer_error(
        self, error: str, reward: float = 0.0
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """End the episode with an error in ``info``; the module is as it was before."""
        self._require_episode()
        self._running = False
        info = self._info(changed=False)
        info["error"] = error
        return self._observe(self._features()), reward, True, False, info

    # Beyond Gymnasium: for search.

    @overload
    def evaluate(  # type: ignore[overload-overlap]  # a str is a sequence of str, but tried first
        self, pass_lists: PassList | str, *, here: bool = False
    ) -> int: ...
    @overload
    def evaluate(
        self, pass_lists: Sequence[PassList | str], *, here: bool = False
    ) -> list[int]: ...
    def evaluate(
        self, pass_lists: PassList | str | Sequence[PassList | str], *, here: bool = False
    ) -> int | list[int]:
        """Return what a pass list makes of the program, in ``metric``.

        The episode stays as it is. Each list is one compilation on the meter.

        Args:
            pass_lists: One pass list (or its text) gives an int; a sequence of them gives a list.
            here: Start from the module as it is now, in place of the unoptimised program. Quicker
                where many lists begin alike, but not always the same as the whole list at once:
                the analyses of a copy start anew, and some passes do more where an analysis is
                there already.

        Raises:
            BudgetSpent: The budget does not hold that many; nothing was compiled or charged.
            UnknownPass: A list cannot be read; nothing was compiled or charged.
            CompilerError: LLVM reported an error; all lists are charged.
        """
        session = self._require_program()
        if isinstance(pass_lists, str | PassList):
            return self.evaluate([pass_lists], here=here)[0]
        lists = [as_pass_list(one, self.action_set) for one in pass_lists]
        self.meter.spend(len(lists), sum(len(one) for one in lists))
        return session.evaluate(lists, here=here)

    def fork(self) -> PassOrderEnv:
        """Return an environment in the same state that goes on by itself, on the same meter."""
        session = self._require_program()
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._np_random = copy.deepcopy(self._np_random)
        twin._session = session.clone()
        twin._sessions = SessionCache(self.metric, self.action_set)
        twin._own_account = False
        twin._actions = list(self._actions)
        return twin

    def undo(self) -> None:
        """Take the last pass back; an ended episode goes on. The meter is not refunded.

        Raises:
            IndexError: No pass was applied.
        """
        if not self._require_program() or not self._actions:
            raise IndexError("expected an applied pass to take back, got none. Step first.")
        self._replay(self._actions[:-1])
        self._running = True

    @property
    def needs_autophase(self) -> bool:
        """Whether ``finish_step`` is to be given the Autophase features of a step."""
        return self._observation.needs_autophase

    @property
    def session(self) -> Session:
        """The compiler at work in this episode."""
        return self._require_program()

    @property
    def program(self) -> Program:
        """The program of this episode."""
        return self._require_program().program

    @property
    def pass_list(self) -> PassList:
        """The passes that this episode applied."""
        names = self.action_set.names
        return PassList([names[number] for number in self._actions], self.action_set)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of each action, in order, without the stop action, which comes last."""
        return self.action_set.names

    @property
    def value(self) -> int:
        """The metric of the module as it is now."""
        return self._count if self.metric == "instruction_count" else self.session.measure()

    @property
    def initial(self) -> int:
        """The metric of the unoptimised program."""
        return self._require_program().initial()

    @property
    def oz(self) -> int:
        """The metric of what ``clang -Oz`` makes of the program."""
        return self._require_program().reference("Oz")

    def render(self) -> str | None:
        """Return the IR text in render mode ``ansi``."""
        return self._require_program().ir() if self.render_mode == "ansi" else None

    # Inside.

    def _require_program(self) -> Session:
        if self._session is None:
            raise gym.error.ResetNeeded("expected an episode, got none yet. Call reset() first.")
        return self._session

    def _require_episode(self) -> Session:
        session = self._require_program()
        if not self._running:
            raise gym.error.ResetNeeded("the episode has ended. Call reset() to start another.")
        return session

    def _check_stop(self, number: int) -> None:
        if number != self._stop:
            raise gym.error.InvalidAction(
                f"expected an action from 0 to {self._stop} (stop), got {number}. "
                "`action_names` lists them."
            )

    def _note(self, actions: Sequence[int]) -> None:
        self._actions.extend(actions)
        texts = [self._text] if self._text else []
        self._text = ",".join(texts + [self._pipelines[number] for number in actions])

    def _earn(self) -> float:
        """Return the reward of what has changed since it was last asked."""
        reward, session = self._reward, self._require_program()
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
