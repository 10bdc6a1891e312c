"""What the conformance tests run against: compilers behind CompilerGym's names."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from llmopt_bench import CompilerGymEnv
from llmopt_bench.compiler_gym_actions import FlagSpace
from llmopt_bench.compiler_gym_client import CompilerGymProcess
from llmopt_bench.compiler_gym_observations import standard_observations
from llmopt_bench.compiler_gym_place import is_set_up
from llmopt_bench.compiler_gym_rewards import REWARDS

DEADLINE = 60.0
"""Seconds that one request to CompilerGym may take."""
DATA = Path(__file__).parent / "data" / "conformance"
SMALL = DATA / "t10_0.bc"
"""113 instructions for LLVM 10, with allocas; every compiler here reads it."""
LARGER = DATA / "s33_0.bc"
"""258 instructions, with loops."""


class Episode(Protocol):
    """An episode on one program."""

    def reset(self) -> None:
        """Start again."""

    def apply(self, *flags: str) -> None:
        """Do one step of one flag or several."""

    def observe(self, name: str) -> Any:
        """Return an observation of the module as it is."""

    def reward(self, name: str) -> float:
        """Return what the last step earned."""

    def flags(self) -> list[str]:
        """Return what was applied."""

    def fork(self) -> Episode:
        """Return an episode in the same state that goes on by itself."""

    def close(self) -> None:
        """Give back what the episode holds."""


class Backend(Protocol):
    """A compiler."""

    flags: tuple[str, ...]
    observations: frozenset[str]
    rewards: frozenset[str]
    exact_forks: bool
    """Whether a fork holds the same module, to the order in which things are listed."""

    def open(self, program: Path) -> Episode:
        """Return an episode on a program."""


class OurEpisode:
    """An episode of ``CompilerGymEnv``."""

    def __init__(self, env: CompilerGymEnv) -> None:
        self.env = env

    def reset(self) -> None:
        self.env.reset()

    def apply(self, *flags: str) -> None:
        self.env.step([self.env.action_space[flag] for flag in flags])

    def observe(self, name: str) -> Any:
        return self.env.observation[name]

    def reward(self, name: str) -> float:
        return self.env.reward[name]

    def flags(self) -> list[str]:
        return [self.env.action_space.flags[number] for number in self.env.actions]

    def fork(self) -> OurEpisode:
        return OurEpisode(self.env.fork())

    def close(self) -> None:
        self.env.close()


class Llvm22:
    """Our own compiler."""

    exact_forks = True
    flags = FlagSpace().flags
    observations = frozenset(standard_observations())
    rewards = frozenset(REWARDS)

    def open(self, program: Path) -> OurEpisode:
        env = CompilerGymEnv(program)
        env.reset()
        return OurEpisode(env)


@functools.cache
def start() -> CompilerGymProcess:
    return CompilerGymProcess()


def process() -> CompilerGymProcess:
    """Return the one process of CompilerGym that all tests use; a new one where that is lost."""
    if not start().usable:
        start.cache_clear()
    return start()


class TheirEpisode:
    """An episode of CompilerGym."""

    def __init__(
        self, program: Path, session: int, steps: tuple[tuple[str, ...], ...] = ()
    ) -> None:
        self.program = program
        self.session = session
        self.steps = steps
        self.closed = False

    @classmethod
    def start(cls, program: Path) -> TheirEpisode:
        session, _ = process().call("open", DEADLINE, program.read_bytes(), name=program.stem)
        return cls(program, session)

    def reset(self) -> None:
        self.ask("reset")
        self.steps = ()

    def apply(self, *flags: str) -> None:
        numbers = [process().facts["actions"].index(flag) for flag in flags]
        self.ask("apply", actions=numbers, observations=[])
        self.steps += (flags,)

    def observe(self, name: str) -> Any:
        value, raw = self.ask("observation", name=name)
        if isinstance(value, dict) and value.keys() == {"dtype", "shape"}:
            return np.frombuffer(raw, value["dtype"]).reshape(value["shape"])
        return value

    def reward(self, name: str) -> float:
        # The process tells what the whole episode has earned.
        before = TheirEpisode.start(self.program)
        for flags in self.steps[:-1]:
            before.apply(*flags)
        earned = self.total(name) - before.total(name)
        before.close()
        return earned

    def total(self, name: str) -> float:
        return float(self.ask("reward", name=name)[0])

    def flags(self) -> list[str]:
        return [flag for flags in self.steps for flag in flags]

    def fork(self) -> TheirEpisode:
        return TheirEpisode(self.program, self.ask("fork")[0], self.steps)

    def close(self) -> None:
        if not self.closed:
            process().forget(self.session)
        self.closed = True

    def ask(self, op: str, **arguments: Any) -> tuple[Any, bytes]:
        return process().call(op, DEADLINE, session=self.session, **arguments)


class Llvm10:
    """CompilerGym 0.2.5, where it is set up."""

    exact_forks = False

    def __init__(self) -> None:
        if not is_set_up():
            pytest.skip("needs CompilerGym: llmopt-bench compiler-gym setup")
        facts = process().facts
        self.flags = tuple(facts["actions"])
        self.observations = frozenset(facts["observations"])
        self.rewards = frozenset(name for name in facts["rewards"] if name in REWARDS)

    def open(self, program: Path) -> TheirEpisode:
        return TheirEpisode.start(program)


BACKENDS: dict[str, type[Llvm22 | Llvm10]] = {"llvm22": Llvm22, "llvm10": Llvm10}
"""The compilers by name."""
