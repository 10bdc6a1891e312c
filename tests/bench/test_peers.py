"""Speed against CompilerGym 0.2.5 and against ``opt-22`` as a process, as ratios within one run.

``make bench-peers`` sets CompilerGym up and runs this. Both compilers start from the same bitcode,
which LLVM 10 wrote, and do the operations of CompilerGym's own benchmark with the same lines of
code (``compiler_gym_operations.py``), each in its own interpreter, in turns.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import compiler_gym_operations
import gymnasium as gym
import numpy as np
import pytest
from compiler_gym_operations import Operations

from llmopt_bench.compiler_gym_actions import FlagSpace
from llmopt_bench.compiler_gym_place import compiler_gym_place
from llmopt_bench.errors import NoCompilerGym

DATA = Path(__file__).parent.parent / "data"
ROUNDS = 5
EPISODE = 45
OBSERVATIONS = (
    *("Ir", "Bitcode", "InstCount", "Autophase", "IrInstructionCount", "IrSha1"),
    "ObjectTextSizeBytes",
)


@dataclass(frozen=True)
class Peer:
    """A program, how often each operation is repeated, and the least that each ratio may be."""

    path: str
    repeats: int
    reset: float = 10
    fork: float = 10
    fork_and_step: float = 1
    light: float = 5
    heavy: float = 5
    walk: float = 5


# What was aimed at is 10 and 5, and 3 for the last. docs/migrate.md says what stands in the way
# where less is asked here: the passes alone take nearly as long in both.
PEERS = {
    "113 instructions": Peer("conformance/t10_0.bc", 40, fork_and_step=10, walk=4),
    "748 instructions": Peer("peers/aho_corasick.bc", 20, fork_and_step=4, walk=2.5),
    "984 instructions": Peer("peers/utf8_tools.bc", 20, fork_and_step=3, heavy=3.5, walk=2),
    "8,442 instructions": Peer("peers/linked_8k.bc", 5, heavy=1.8, walk=1.7),
}


class Theirs:
    """CompilerGym's operations, in its own interpreter."""

    def __init__(self) -> None:
        place = compiler_gym_place()
        script = Path(compiler_gym_operations.__file__)
        self._process = subprocess.Popen(
            [place.python, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **place.variables},
            text=True,
        )

    def measure(self, *request: Any) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"CompilerGym ended at {request}"
        return list(json.loads(answer))

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    try:
        peer = Theirs()
    except NoCompilerGym as error:
        pytest.skip(str(error))
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def ours() -> Operations:
    def make(program: str) -> gym.Env[Any, Any]:
        return gym.make("llmopt_bench/CompilerGym-llvm-autophase-ic-v0", benchmark=program)

    return Operations(make)


@pytest.fixture(params=PEERS.values(), ids=PEERS.keys())
def peer(request: pytest.FixtureRequest) -> Peer:
    return request.param


def walk_of(peer: Peer) -> list[str]:
    """Return flags that both have, drawn with a seed of the program's own."""
    rng = np.random.default_rng(peer.repeats)
    return rng.choice(FlagSpace().flags, size=EPISODE).tolist()


def compare(ours: Operations, theirs: Theirs, peer: Peer, operation: str, detail: Any = None):
    """Return the least median seconds of some rounds that are taken in turns: ours, theirs."""
    request = (str(DATA / peer.path), operation, peer.repeats, detail)
    medians = np.array(
        [[np.median(side.measure(*request)) for side in (ours, theirs)] for _ in range(ROUNDS)]
    )
    return medians.min(axis=0)


def show(capsys, peer: Peer, label: str, mine: float, other: float, whose: str = "CompilerGym"):
    with capsys.disabled():
        print(
            f"\n{Path(peer.path).stem}: {label} {mine * 1e6:,.0f} us, {whose} "
            f"{other * 1e6:,.0f} us, ratio {other / mine:.1f}"
        )
    return other / mine


STEPS = {
    "step, light pass": ("light", "step", "-globaldce"),
    "step, heavy pass": ("heavy", "step", "-gvn"),
    "episode of random passes": ("walk", "walk", None),
}


FORKS = {"fork after a step, and its first": 1, "fork after an episode, and its first": EPISODE}


@pytest.mark.parametrize("label", STEPS)
def test_step(ours, theirs, peer, label, capsys):
    least, operation, flag = STEPS[label]
    mine, other = compare(ours, theirs, peer, operation, flag or walk_of(peer))
    assert show(capsys, peer, label, mine, other) >= getattr(peer, least)


def test_what_a_step_adds_to_its_pass(ours, theirs, peer, capsys):
    """With all passes in one call there is one observation and one reward in place of 45."""
    walk, at_once = (
        compare(ours, theirs, peer, operation, walk_of(peer)) for operation in ("walk", "multistep")
    )
    show(capsys, peer, "multistep of random passes", *at_once)
    mine, other = np.maximum((walk - at_once) / EPISODE, 1e-6)
    assert show(capsys, peer, "what a step adds to its pass", mine, other) >= 5


@pytest.mark.parametrize("operation", ["reset", "fork"])
def test_reset_and_fork(ours, theirs, peer, operation, capsys):
    mine, other = compare(ours, theirs, peer, operation)
    assert show(capsys, peer, operation, mine, other) >= getattr(peer, operation)


@pytest.mark.parametrize("label", FORKS)
def test_fork_and_its_first_step(ours, theirs, peer, label, capsys):
    """Our fork does the passes of its episode again when it is first used."""
    walk = ["-mem2reg"] if FORKS[label] == 1 else walk_of(peer)
    mine, other = compare(ours, theirs, replace(peer, repeats=5), "fork_and_step", walk)
    ratio = show(capsys, peer, label, mine, other)
    assert FORKS[label] > 1 or ratio >= peer.fork_and_step


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_observation(ours, theirs, peer, name, capsys):
    few = replace(peer, repeats=2)
    mine, other = compare(ours, theirs, few, "observation", [name, walk_of(peer)[:15]])
    show(capsys, peer, f"15 times {name}", mine, other)


def test_make(ours, theirs, peer, capsys):
    mine, other = compare(ours, theirs, replace(peer, repeats=2), "make")
    assert show(capsys, peer, "make", mine, other) >= peer.reset


@pytest.mark.skipif(shutil.which("opt-22") is None, reason="opt-22 is not installed")
def test_walk_against_opt_processes(ours, peer, tmp_path, capsys):
    flags = walk_of(peer)
    space = FlagSpace()
    actions = [space.action_set.index(space.passes[space.flags.index(flag)]) for flag in flags]
    pipelines = [space.action_set.pipelines[action] for action in actions]
    module = tmp_path / "module.bc"

    def opt() -> float:
        shutil.copy(DATA / peer.path, module)
        start = time.perf_counter()
        for name in pipelines:
            subprocess.run(["opt-22", f"-passes={name}", module, "-o", module], check=True)
        return time.perf_counter() - start

    request = (str(DATA / peer.path), "walk", 3, flags)
    rounds = [(min(ours.measure(*request)), opt()) for _ in range(3)]
    mine, other = np.min(rounds, axis=0)
    assert show(capsys, peer, "episode of random passes", mine, other, "opt-22") >= 10
