"""``SinglePass-v0``: write the IR that one pass makes of a program."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from llmopt_bench.action_set import ActionSet, make_action_set
from llmopt_bench.env import DEFAULT_PROGRAM
from llmopt_bench.episode import Step
from llmopt_bench.errors import BadProgram, CompilerError, UnknownName, UnknownPass, shown, unknown
from llmopt_bench.ir_scores import IrScore, IrScorer
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.observations import IRText
from llmopt_bench.program import Program
from llmopt_bench.session import Session
from llmopt_bench.session_cache import SessionCache

_PIPELINES = ("default<", "function-simplification<", "scc-oz-module-inliner")
_REWARDS = ("exact", "same_code", "bleu", "compiles")


class PassName(spaces.Text):
    """The names of some passes."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(max_length=max(map(len, names)), charset=string.printable)
        self._names = tuple(names)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is one of the names."""
        return x in self._names

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return one of the names, each with the same probability."""
        return self._names[self.np_random.integers(len(self._names))]


class AnyText(IRText):
    """Any text up to 128 MiB, since a model may say anything; samples are comments of IR."""

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


class SinglePassEnv(gym.Env[Any, str]):
    """Write, as text, the IR that one pass makes of a program (arXiv 2309.07062, section V).

    There is one step. The paper trains and tests on 60 passes of LLVM 10 with 10,000 programs
    each; here the passes are those of an action set that are no whole pipelines.

    **Observation**: ``ir``, the unoptimised program, normalised as the paper does; ``pass``, the
    name of the pass. It stays the same when the episode ends.

    **Action**: the IR that the pass makes of the program; any text.

    **Reward**: one of the scores, 0 to 1: ``exact``, ``same_code``, ``bleu`` or ``compiles``. BLEU
    is no measure of correct code: a copy of the program earns 0.7, of the passes that change it.

    **Episode end**: every step terminates.

    **Info**: ``program`` (URI), ``pass_name``; after the step also ``changed`` (bool, whether the
    pass changes the text at all), ``expected`` (what the compiler made, normalised), ``scores``
    (every field of ``IrScore`` by name, and ``instruction_error``), and ``error``, where the answer
    does not compile. Where the compiler itself fails on the pass, ``error`` says so, there is
    neither ``expected`` nor ``scores``, and the reward is 0.

    Args:
        program: The program of every episode: a ``Program``, URI or path.
        programs: Several of them; each episode draws one.
        passes: The passes to draw from, names or aliases of actions; those of the action set that
            are no pipelines if None.
        changes_only: Whether to draw from the passes that change the program, where there are any.
            Three of four passes leave a function of the bundled programs as it is; of all of them,
            a copy is the exact answer for 76 % (BLEU 0.94).
        reward: The score that is the reward.
        action_set: An action set, or the name of one.
        run_programs: Whether to find out if an answer is right by running it; see ``IrScorer``.
        isolation: The limits of the worker process in which LLVM works; None for this process.

    Raises:
        BadProgram, UnknownProgram: A program cannot be loaded.
        UnknownName: There is no such reward or action set.
        UnknownPass: A pass is not in the action set.
        MissingTool: Programs are to be run, and cannot be on this machine.

    Example:
        >>> import gymnasium, llmopt_bench
        >>> env = gymnasium.make("llmopt_bench/SinglePass-v0", program="bundled-v1/crc_family")
        >>> observation, info = env.reset(options={"pass_name": "mem2reg"})
        >>> _, reward, terminated, _, info = env.step(observation["ir"])
        >>> info["scores"]["compiles"], reward, terminated
        (True, 0.0, True)
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (an instance variable in the base class)

    def __init__(
        self,
        program: Program | str | None = None,
        *,
        programs: Sequence[Program | str] | None = None,
        passes: Sequence[str] | None = None,
        changes_only: bool = True,
        reward: str = "exact",
        action_set: str | ActionSet = "passes-v1",
        run_programs: bool = False,
        isolation: Isolation | None = DEFAULT,
    ) -> None:
        if program is not None and programs is not None:
            raise ValueError("expected program or programs, got both. Give one of them.")
        if programs is not None and not programs:
            raise ValueError("expected at least one program, got an empty list.")
        if reward not in _REWARDS:
            raise UnknownName(unknown("reward", reward, _REWARDS))
        self.action_set = (
            action_set if isinstance(action_set, ActionSet) else make_action_set(action_set)
        )
        self.pass_names = _passes_of(self.action_set, passes)
        self.observation_space = spaces.Dict({"ir": IRText(), "pass": PassName(self.pass_names)})
        self.action_space = AnyText()
        self._programs = list(programs) if programs is not None else [program or DEFAULT_PROGRAM]
        self._changes_only = changes_only
        self._reward = reward
        self._sessions = SessionCache("instruction_count", self.action_set, isolation)
        self._scorer = IrScorer(isolation, run_programs=run_programs)
        self._session: Session | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seeds ``np_random``, from which the program and then the pass are drawn.
            options: ``program`` and ``pass_name``, each in place of what would be drawn.

        Raises:
            BadProgram, UnknownProgram: The program cannot be loaded.
            UnknownPass: The pass is not one of ``pass_names``.
            ValueError: There are other options.
        """
        super().reset(seed=seed)
        self._session = None  # until all of this has worked
        given = _checked(options)
        # Both are always drawn: what one episode is given does not change the next ones.
        drawn = self._programs[self.np_random.integers(len(self._programs))]
        order = self.np_random.permutation(len(self.pass_names))
        session = self._sessions.open(given.get("program", drawn))
        ir = session.ir(normalized=True)
        if "pass_name" in given:
            name = self._known_pass(given["pass_name"])
        else:
            name = self._first(session, ir, [self.pass_names[number] for number in order])
        self._session = session
        self._observation = {"ir": ir, "pass": name}
        self._info = {"program": session.program.uri, "pass_name": name}
        return dict(self._observation), dict(self._info)

    def step(self, action: str) -> Step:
        """Score the text and end the episode.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode, or it has ended.
            gymnasium.error.InvalidAction: It is no text, or too long.
        """
        if (session := self._session) is None:
            raise gym.error.ResetNeeded("expected an episode, got none. Call reset() first.")
        if action not in self.action_space:
            raise gym.error.InvalidAction(f"expected IR text, got {shown(action)}.")
        self._session, observation = None, self._observation
        try:
            session.apply(observation["pass"])
            expected = session.ir(normalized=True)
            score = self._scorer.score(action, expected, session.program)
        except (CompilerError, BadProgram) as error:
            info: dict[str, Any] = {**self._info, "error": f"{type(error).__name__}: {error}"}
            return dict(observation), 0.0, True, False, info
        info = {
            **self._info,
            "changed": expected != observation["ir"],
            "expected": expected,
            "scores": score.to_json(),
        }
        if score.message is not None:
            info["error"] = score.message
        return dict(observation), self._earned(score), True, False, info

    def _first(self, session: Session, ir: str, names: Sequence[str]) -> str:
        """Return the first pass that may be drawn; the first of all if none changes the program."""
        if not self._changes_only:
            return names[0]
        return next((name for name in names if _changes(session, ir, name)), names[0])

    def _earned(self, score: IrScore) -> float:
        return float(getattr(score, self._reward))

    def _known_pass(self, given: str) -> str:
        name = self.action_set.names[self.action_set.index(given)]
        if name not in self.pass_names:
            raise UnknownPass(
                f"expected one of the {len(self.pass_names)} passes of this environment, got "
                f"{name!r}. `pass_names` lists them; the argument `passes` chooses others."
            )
        return name


def _passes_of(actions: ActionSet, names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the passes to draw from, in the action set's spelling."""
    if names is None:
        single = [action.name for action in actions.actions if not action.composite]
        return tuple(name for name in single if not name.startswith(_PIPELINES))
    if isinstance(names, str) or not names:
        raise ValueError(f"expected names of passes, got {shown(names)}. Give a list of them.")
    return tuple(actions.names[actions.index(name)] for name in names)


def _changes(session: Session, ir: str, name: str) -> bool:
    """Whether a pass makes other IR of an unoptimised program; not if the compiler fails on it."""
    try:
        return session.apply(name) and session.ir(normalized=True) != ir
    except CompilerError:
        return False
    finally:
        session.reset()


def _checked(options: object) -> Mapping[str, Any]:
    """Return the options of ``reset``, if they are such."""
    options = {} if options is None else options
    if not isinstance(options, Mapping) or options.keys() - {"program", "pass_name"}:
        raise ValueError(
            f'expected options like {{"program": URI, "pass_name": NAME}}, got {shown(options)}.'
        )
    return options
