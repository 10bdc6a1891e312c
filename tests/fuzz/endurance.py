"""Memory over very many steps: environments, forks, undos, vector environments and crashes.

    python tests/fuzz/endurance.py --steps 1000000 --out memory.csv

Writes a line for every ``--every`` steps: steps, MiB of this process, MiB of its workers and their
server, how many there are, episodes and crashes. Exits with 1 if memory grew.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from process_tree import descendants

from llmopt_bench import PassOrderEnv, make_dataset
from llmopt_bench.errors import CompilerCrashed
from llmopt_bench.vector import PassOrderVectorEnv

EPISODE = 45
ENVIRONMENTS = 4
WARM_UP = 80_000
"""Until so many steps, workers still meet programs that need more than those before (measured)."""
GROWTH = 1.05
"""The most that the second half's memory may be, as a share of the first half's."""
SLACK_MIB = 8.0


class Sample(NamedTuple):
    """What one line says."""

    steps: int
    process_mib: float
    workers_mib: float
    workers: int
    episodes: int
    crashes: int


def private_mib(pid: int) -> float:
    """Return the memory that a process has for itself alone, in MiB; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    private = [line.split()[1] for line in lines if line.startswith("Private_")]
    return sum(map(int, private)) / 1024


@dataclass
class Endurance:
    """Random episodes without end, on small programs."""

    seed: int = 0
    steps: int = 0
    episodes: int = 0
    crashes: int = 0
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._programs = list(make_dataset("bundled-functions-v1").uris())
        self._env = PassOrderEnv(programs=self._programs)
        self._vector = PassOrderVectorEnv(ENVIRONMENTS, programs=self._programs, max_passes=EPISODE)
        self._env.reset(seed=self.seed)
        self._vector.reset(seed=self.seed)
        self._actions = len(self._env.action_names)

    def episode(self) -> None:
        """Run one episode of one kind."""
        self.episodes += 1
        if self._rng.random() < 0.05:
            self._together()
        else:
            self._alone()

    def sample(self) -> Sample:
        """Return what memory is now."""
        pids = descendants(os.getpid())
        process, workers = private_mib(os.getpid()), sum(map(private_mib, pids))
        return Sample(
            self.steps, round(process, 1), round(workers, 1), len(pids), self.episodes, self.crashes
        )

    def _alone(self) -> None:
        env, rng = self._env, self._rng
        env.reset()
        for _ in range(EPISODE):
            self._step(env)
            if rng.random() < 0.01:
                env.undo()
            if rng.random() < 0.005:
                twin = env.fork()
                for _ in range(rng.randrange(5)):
                    self._step(twin)
        if rng.random() < 0.002:
            self._crash()

    def _together(self) -> None:
        for _ in range(EPISODE):
            self._vector.step(np.array(self._rng.choices(range(self._actions), k=ENVIRONMENTS)))
            self.steps += ENVIRONMENTS

    def _step(self, env: PassOrderEnv) -> None:
        env.step(self._rng.randrange(self._actions))
        self.steps += 1

    def _crash(self) -> None:
        self.crashes += 1
        try:
            self._env.session.apply("trigger-crash-module")
        except CompilerCrashed:
            return
        raise RuntimeError("expected LLVM to crash")


def run(steps: int, every: int, seed: int = 0) -> list[Sample]:
    """Return the samples of a run."""
    endurance, samples = Endurance(seed), []
    while endurance.steps < steps:
        endurance.episode()
        if endurance.steps >= len(samples) * every:
            samples.append(endurance.sample())
    return samples


def growth(samples: Sequence[Sample], name: str) -> tuple[float, float]:
    """Return the median memory in the first and in the second half after the warm-up, in MiB."""
    values = [getattr(sample, name) for sample in samples if sample.steps >= WARM_UP]
    half = len(values) // 2
    return statistics.median(values[:half]), statistics.median(values[half:])


def has_grown(samples: Sequence[Sample]) -> bool:
    """Whether the process or its workers have more memory at the end than early on."""
    pairs = [growth(samples, name) for name in ("process_mib", "workers_mib")]
    return any(late > early * GROWTH + SLACK_MIB for early, late in pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, default=1_000_000, help=f"more than the warm-up of {WARM_UP:,}"
    )
    parser.add_argument("--every", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    samples = run(options.steps, options.every, options.seed)
    if options.out:
        with options.out.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([Sample._fields, *samples])
    for name in ("process_mib", "workers_mib"):
        early, late = growth(samples, name)
        sys.stdout.write(f"{name}: {early:.1f} in the first half, {late:.1f} in the second\n")
    return has_grown(samples)


if __name__ == "__main__":
    sys.exit(main())
