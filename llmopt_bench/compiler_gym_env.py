"""CompilerGym's environment on today's compiler, for programs that were written for CompilerGym."""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from llmopt_bench.build import build_info
from llmopt_bench.compiler_gym_episode import CompilerGymEpisode
from llmopt_bench.compiler_gym_state import CompilerGymState, ValidationResult, validate_state
from llmopt_bench.datasets import Dataset, dataset_names, load_program, make_dataset
from llmopt_bench.errors import CompilerError
from llmopt_bench.plain_file import write_whole


class CompilerGymEnv(CompilerGymEpisode):
    """The LLVM environment of CompilerGym 0.2.5 as Gymnasium has environments, on LLVM 22.

    Observations, rewards, actions and methods have the names that they have in CompilerGym.
    What is absent, and what differs, stands in ``docs/migrate.md``.

    **Action**: the number of a flag (``action_space.flags``), or a list of numbers: several
    passes, with one observation and one reward at the end.

    **Reward**: a function of the module before and after the step, so asking for one changes
    none. A step on which the compiler fails takes back what the episode has earned.

    **Episode end**: ``terminated`` by an error of the compiler, ``truncated`` when the budget is
    spent. There is no stop action.

    **Info**: as ``PassOrderEnv``; after a step also ``action_had_no_effect`` and
    ``new_action_space`` (always False), and after an error ``error_type`` and ``error_details``.

    Args:
        benchmark: The program: a ``Program``, URI or path.
        observation_space: Name of what ``step`` and ``reset`` return; None for None.
        reward_space: Name of what ``step`` earns; None for 0.
        budget: The most compilations of an episode; None for no limit.
        isolation: The limits of the worker process in which LLVM works; None for this process.
        render_mode: ``ansi``: ``render`` returns the IR text.

    Raises:
        BadProgram, UnknownProgram: The program cannot be loaded.
        UnknownName: There is no such observation or reward.

    Example:
        >>> import gymnasium, llmopt_bench
        >>> env = gymnasium.make("llmopt_bench/CompilerGym-llvm-ic-v0")
        >>> observation, info = env.reset()
        >>> _, reward, terminated, truncated, info = env.step(env.action_space["-mem2reg"])
        >>> env.observation["IrInstructionCount"] < env.observation["IrInstructionCountO0"]
        True
    """

    @property
    def version(self) -> str:
        """The version of this library."""
        return importlib.metadata.version("llmopt-bench")

    @property
    def compiler_version(self) -> str:
        """The version of LLVM."""
        return build_info()["llvm_version"]

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets by name."""
        return MappingProxyType({name: make_dataset(name) for name in dataset_names()})

    @property
    def ir(self) -> str:
        """The module as IR text."""
        return str(self.observation["Ir"])

    @property
    def ir_sha1(self) -> str:
        """The SHA-1 of the IR text, in hexadecimal."""
        return str(self.observation["IrSha1"])

    def write_ir(self, path: str | Path) -> Path:
        """Write the module as IR text and return the path.

        Raises:
            OSError: The file cannot be written.
        """
        return _write(path, self.ir.encode())

    def write_bitcode(self, path: str | Path) -> Path:
        """Write the module as bitcode and return the path.

        Raises:
            OSError: The file cannot be written.
        """
        return _write(path, self.pass_order.session.bitcode())

    def commandline(self) -> str:
        """Return the command line of LLVM 22's ``opt`` that does what the episode did."""
        return self.action_space.to_string(self.actions)

    def commandline_to_actions(self, commandline: str) -> list[int]:
        """Return the numbers of the flags of a command line; see ``action_space.from_string``."""
        return self.action_space.from_string(commandline)

    @property
    def state(self) -> CompilerGymState:
        """What the episode did, on which program, and what it earned."""
        return CompilerGymState(
            self.benchmark.uri, self.commandline(), self.episode_walltime, self.episode_reward
        )

    def apply(self, state: CompilerGymState) -> None:
        """Start an episode on the program of a state, and bring it there.

        Raises:
            UnknownPass: The command line names a pass that is absent here; nothing has changed.
            BadProgram, UnknownProgram: The program cannot be loaded.
            CompilerError: The episode ended before: LLVM failed, or the budget is spent.
        """
        actions = self.commandline_to_actions(state.commandline)
        known = self.benchmark.uri == state.benchmark
        self.reset(self.benchmark if known else load_program(state.benchmark))
        self.multistep(actions, observation_spaces=[], reward_spaces=[])
        if len(self.actions) < len(actions):
            raise CompilerError(
                f"expected {len(actions)} passes to run, got {len(self.actions)}: "
                f"{self._info.get('error', 'the budget is spent')}. Shorten the command line."
            )

    def validate(self, state: CompilerGymState | None = None) -> ValidationResult:
        """Run a state, or that of this episode, again in a fresh session and look if it holds.

        The reward is compared in this environment's reward space. See ``validate_state``.

        Raises:
            BadProgram, UnknownProgram: The program of the state cannot be loaded.
        """
        state = self.state if state is None else state
        known = self.benchmark.uri == state.benchmark
        program = self.benchmark if known else load_program(state.benchmark)
        return validate_state(state, program, self.reward_space, self.isolation)

    def fork(self) -> CompilerGymEnv:
        """Return an environment in the same state that goes on by itself, on the same meter."""
        twin = CompilerGymEnv(
            self.benchmark,
            reward_space=self.reward_space,
            budget=self._budget,
            isolation=self.isolation,
            render_mode=self.render_mode,
        )
        twin.observation.spaces = dict(self.observation.spaces)
        twin.observation_space = self.observation_space_spec
        twin._next = self._next
        twin._np_random = copy.deepcopy(self._np_random)
        if self._costs is not None:
            twin.pass_order = self.pass_order.fork()
            twin._costs = self._costs.fork(twin.pass_order.session)
            twin.actions = list(self.actions)
            twin._running, twin._failed = self._running, self._failed
            twin._began, twin._info = self._began, dict(self._info)
            twin._shown = self._shown
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> CompilerGymEnv:
        return self.fork()

    def __copy__(self) -> NoReturn:
        raise TypeError("a copy would share the module. Use fork(), which goes on by itself.")


def _write(path: str | Path, data: bytes) -> Path:
    write_whole(Path(path), data)
    return Path(path)
