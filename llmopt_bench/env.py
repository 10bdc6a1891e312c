"""``PassOrder-v0``: choose one pass after another."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import overload

from llmopt_bench.action_set import ActionSet
from llmopt_bench.anytime import Curve
from llmopt_bench.backend import choose_action_set
from llmopt_bench.budget import Meter
from llmopt_bench.episode import EpisodeEnv
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.observations import make_observation
from llmopt_bench.passes import PassList, as_pass_list
from llmopt_bench.program import Program
from llmopt_bench.rewards import make_reward
from llmopt_bench.session import Session, check_metric
from llmopt_bench.session_cache import SessionCache

DEFAULT_PROGRAM = "bundled-v1/crc_family"
_FAILED = -1  # no metric is negative


class PassOrderEnv(EpisodeEnv):
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
        action_set: An action set, or the name of one; that of the backend if None.
        backend: ``llvm`` or ``compiler_gym``, see ``Session``; that of the action set if None.
        budget: The most compilations of an episode; None for no limit.
        max_passes: The most passes of an episode; None for no limit.
        meter: An account to charge in place of one for each episode.
        isolation: The limits of the worker process in which LLVM works; None to let it work in
            this process, which then ends where LLVM crashes.
        render_mode: ``ansi``: ``render`` returns the IR text.

    Raises:
        BadProgram, UnknownProgram: A program cannot be loaded.
        UnknownName: There is no such observation, reward, metric, action set or backend.
        ValueError: The action set belongs to another backend.

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
        action_set: str | ActionSet | None = None,
        backend: str | None = None,
        budget: int | None = None,
        max_passes: int | None = None,
        meter: Meter | None = None,
        isolation: Isolation | None = DEFAULT,
        render_mode: str | None = None,
    ) -> None:
        if program is not None and programs is not None:
            raise ValueError("expected program or programs, got both. Give one of them.")
        if programs is not None and not programs:
            raise ValueError("expected at least one program, got an empty list.")
        if max_passes is not None and max_passes < 1:
            raise ValueError(f"expected max_passes of 1 or more, or None, got {max_passes}.")
        if budget is not None and meter is not None:
            raise ValueError("expected budget or meter, got both. Give Meter(budget) alone.")
        action_set = choose_action_set(backend, action_set)
        super().__init__(
            programs if programs is not None else [program or DEFAULT_PROGRAM],
            observation=make_observation(observation, len(action_set), max_passes),
            reward=make_reward(reward),
            metric=check_metric(metric),
            action_set=action_set,
            budget=budget,
            max_passes=max_passes,
            meter=meter,
            isolation=isolation,
        )
        self.render_mode = render_mode

    @overload
    def evaluate(  # type: ignore[overload-overlap]  # a str is a sequence of str, but tried first
        self, pass_lists: PassList | str, *, here: bool = False, failure: int | None = None
    ) -> int: ...
    @overload
    def evaluate(
        self,
        pass_lists: Sequence[PassList | str],
        *,
        here: bool = False,
        failure: int | None = None,
    ) -> list[int]: ...
    def evaluate(
        self,
        pass_lists: PassList | str | Sequence[PassList | str],
        *,
        here: bool = False,
        failure: int | None = None,
    ) -> int | list[int]:
        """Return what a pass list makes of the program, in ``metric``.

        The episode stays as it is. Each list is one compilation on the meter.

        Args:
            pass_lists: One pass list (or its text) gives an int; a sequence of them gives a list.
            here: Go on from the module as it is now: the same as this episode's list and then
                the given one, run at once.
            failure: What to return for a list on which LLVM fails (an error, a crash, a limit),
                in place of raising.

        Raises:
            BudgetSpent: The budget does not hold that many; nothing was compiled or charged.
            UnknownPass: A list cannot be read; nothing was compiled or charged.
            CompilerError: LLVM failed on a list, and there is no ``failure``; all are charged.
        """
        session = self._require_program()
        if isinstance(pass_lists, str | PassList):
            return self.evaluate([pass_lists], here=here, failure=failure)[0]
        lists = [as_pass_list(one, self.action_set) for one in pass_lists]
        self.meter.spend(len(lists), sum(len(one) for one in lists))
        first = self.meter.compilations - len(lists) + 1
        values = session.evaluate(lists, here=here, failure=None if failure is None else _FAILED)
        for place, (value, passes) in enumerate(zip(values, lists, strict=True), start=first):
            if _FAILED < value < self._curve.best:
                self._curve.note(place, value, self.pass_list + passes if here else passes)
        return [value if failure is None or value != _FAILED else failure for value in values]

    def fork(self) -> PassOrderEnv:
        """Return an environment in the same state that goes on by itself, on the same meter."""
        session = self._require_program()
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._np_random = copy.deepcopy(self._np_random)
        twin._session = session.clone()
        twin._sessions = SessionCache(self.metric, self.action_set, self._isolation)
        twin._own_account = False
        twin._actions = list(self._actions)
        return twin

    def undo(self) -> None:
        """Take the last pass back; an ended episode goes on. The meter is not refunded.

        Raises:
            IndexError: No pass was applied.
        """
        self._require_program()
        if not self._actions:
            raise IndexError("expected an applied pass to take back, got none. Step first.")
        self._replay(self._actions[:-1])
        self._running = True

    @property
    def session(self) -> Session:
        """The compiler at work in this episode."""
        return self._require_program()

    @property
    def compiler_failures(self) -> int:
        """How often LLVM has failed in this environment: errors, crashes, limits."""
        return self._require_program().state.host.failures

    @property
    def program(self) -> Program:
        """The program of this episode."""
        return self._require_program().program

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of each action, in order, without the stop action, which comes last."""
        return self.action_set.names

    @property
    def curve(self) -> Curve:
        """The best value shown so far, against compilations; shared with forks, as the meter is.

        Steps and ``evaluate`` note themselves. Where the metric is ``text_size``, a step counts
        when ``value`` is asked for, since steps measure no machine code. A new account has a new
        curve, and so has another program.
        """
        self._require_program()
        return self._curve

    @property
    def value(self) -> int:
        """The metric of the module as it is now."""
        if self.metric == "instruction_count":
            return self._count
        size = self.session.measure()
        self._curve.note(self.meter.compilations, size, self.pass_list)
        return size

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
