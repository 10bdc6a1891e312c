"""The ways to run a pass list on a program; all of them have to end in the same code.

Run as a script, this module is a helper process: it reads one JSON request a line and answers each
with one line. A pass list that ends the process then ends a helper and not the caller.
"""

from __future__ import annotations

import functools
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmopt_bench import PassList, Session, load_program
from llmopt_bench._core import Module
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.errors import LlmoptError
from llmopt_bench.program import Program
from llmopt_bench.vector import PassOrderVectorEnv

OPT = shutil.which("opt-22")
TIME_LIMIT = 60
"""Seconds for one way of one pass list."""
OTHER_WORK = ("sroa", "early-cse", "licm", "gvn", "loop-unroll", "simplifycfg", "globaldce")
"""What a context has seen before its session runs the list again."""

Names = Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way made of a pass list."""

    count: int | None = None
    hash: str | None = None
    """None also for a way that gives no code, only a count."""
    error: str = ""

    def agrees(self, other: Outcome) -> bool:
        """Whether two ways gave the same, as far as both tell."""
        if self.error or other.error:
            return bool(self.error) and bool(other.error)
        hashes = {self.hash, other.hash} - {None}
        return self.count == other.count and len(hashes) < 2


Way = Callable[[Program, Names], Outcome]


def opt(program: Program, names: Names) -> Outcome:
    """One run of ``opt``, from file to file; what all others are held against."""
    with tempfile.TemporaryDirectory(prefix="llmopt-fuzz-") as folder:
        before, after = Path(folder, "before.bc"), Path(folder, "after.bc")
        before.write_bytes(program.bitcode)
        command = [str(OPT), f"-passes={PassList(names).text}", str(before), "-o", str(after)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT - 5)
        except subprocess.TimeoutExpired:
            return Outcome(error="opt: no end within the time limit")
        if done.returncode != 0:
            return Outcome(error=f"opt: status {done.returncode}: {_gist(done.stderr)}")
        return _outcome_of(Module.read(after.read_bytes(), "after"))


def _gist(messages: str) -> str:
    """Return the line of opt's messages that names the failure."""
    lines = [line for line in messages.splitlines() if line.strip()]
    telling = [line for line in lines if "Assertion" in line or "rror" in line or "pass" in line]
    return " / ".join((telling or lines)[:2])[:300]


def steps(program: Program, names: Names) -> Outcome:
    """A session, pass by pass."""
    session = Session(program)
    for name in names:
        session.apply(name)
    return _outcome_of(session)


def joined(program: Program, names: Names) -> Outcome:
    """A session, the whole list at once."""
    session = Session(program)
    session.apply(PassList(names))
    return _outcome_of(session)


def in_process(program: Program, names: Names) -> Outcome:
    """A session without a worker process, the whole list at once."""
    session = Session(program, isolation=None)
    session.apply(PassList(names))
    return _outcome_of(session)


def evaluate(program: Program, names: Names) -> Outcome:
    """``Session.evaluate`` from half way, and of another list before; it gives a count only."""
    session, half = Session(program), len(names) // 2
    if half:
        session.apply(PassList(names[:half]))
    _, count = session.evaluate([list(OTHER_WORK[:3]), list(names[half:])], here=True)
    return Outcome(count)


def fork(program: Program, names: Names) -> Outcome:
    """A fork half way, whose parent goes another way before it goes on."""
    env, half = _old_environment(), len(names) // 2
    env.reset(options={"program": program})
    _step(env, names[:half])
    twin = env.fork()
    _step(env, OTHER_WORK[:3])
    return _step(twin, names[half:])


def vector(program: Program, names: Names) -> Outcome:
    """One of two environments that step together; the other takes the list backwards."""
    envs = _old_vector()
    envs.reset(options={"program": program})
    numbers = [envs.envs[0].action_set.index(name) for name in names]
    for pair in zip(numbers, reversed(numbers), strict=True):
        *_, infos = envs.step(np.array(pair))
        if "error" in infos:
            return Outcome(error=f"CompilerError: {infos['error']}")
    return _outcome_of(envs.envs[0].session)


def again(program: Program, names: Names) -> Outcome:
    """A session that has done other work, in a context that has seen still more."""
    session = _old_session(program)
    session.apply(PassList(OTHER_WORK))
    session.reset()
    session.apply(PassList(names))
    return _outcome_of(session)


def threads(program: Program, names: Names) -> Outcome:
    """A session in a thread, while another thread runs other passes on the same program."""
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(joined, program, OTHER_WORK * 3)
        mine = pool.submit(joined, program, names)
        other.result()
        return mine.result()


def undo(program: Program, names: Names) -> Outcome:
    """Steps of an environment, some of them wrong ones that are taken back."""
    env, rng = _old_environment(), random.Random(",".join(names))
    env.reset(options={"program": program})
    actions = [env.action_set.index(name) for name in names]
    wrong = rng.randrange(len(actions))
    for place, action in enumerate(actions):
        if place == wrong:
            env.step(rng.randrange(len(env.action_names)))
            env.undo()
        *_, info = env.step(action)
        if "error" in info:
            return Outcome(error=f"CompilerError: {info['error']}")
    return _outcome_of(env.session)


def _step(env: PassOrderEnv, names: Names) -> Outcome:
    for name in names:
        *_, info = env.step(env.action_set.index(name))
        if "error" in info:
            return Outcome(error=f"CompilerError: {info['error']}")
    return _outcome_of(env.session)


WAYS: dict[str, Way] = {
    "opt": opt,
    "steps": steps,
    "joined": joined,
    "in-process": in_process,
    "evaluate": evaluate,
    "again": again,
    "threads": threads,
    "undo": undo,
    "fork": fork,
    "vector": vector,
}
"""By name; a new way is a function and a line here."""


def run_way(name: str, file: str, names: Names) -> Outcome:
    """Run one way; errors of the library, and wrong ones, become part of the outcome."""
    try:
        return WAYS[name](_program(file), names)
    except LlmoptError as error:
        return Outcome(error=f"{type(error).__name__}: {error}"[:300])
    except Exception as error:
        return Outcome(error=f"not of the library: {error!r}"[:300])


def _outcome_of(code: Session | Module) -> Outcome:
    count = code.instruction_count if isinstance(code, Session) else code.instruction_count()
    return Outcome(count, code.content_hash())


@functools.lru_cache(maxsize=2000)
def _program(file: str) -> Program:
    return load_program(file)


@functools.lru_cache(maxsize=32)
def _old_session(program: Program) -> Session:
    return Session(program)


@functools.cache
def _old_environment() -> PassOrderEnv:
    return PassOrderEnv(observation="instcount")


@functools.cache
def _old_vector() -> PassOrderVectorEnv:
    return PassOrderVectorEnv(2, observation="instcount")


def serve() -> None:
    """Answer requests until the input ends; the alarm ends the process at the time limit."""
    for line in sys.stdin:
        way, file, names = json.loads(line)
        signal.alarm(TIME_LIMIT)
        outcome = run_way(way, file, names)
        signal.alarm(0)
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
