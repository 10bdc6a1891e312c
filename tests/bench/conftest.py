"""What the speed tests share: programs of three sizes, and walks that are the same for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from llmopt_bench import Program, load_program, make_action_set

EPISODE = 45


@dataclass(frozen=True)
class Workload:
    """A program and random walks of 45 actions over all of passes-v1."""

    program: Program
    walks: tuple[tuple[int, ...], ...]

    def pipelines(self, walk: tuple[int, ...]) -> list[str]:
        return [make_action_set().pipelines[action] for action in walk]


# About 100, 700 and 8,000 instructions; the last is what csmith makes of this seed.
SIZES = {
    100: ("bundled-functions-v1/robin_hood_map/rhRemove", 60),
    700: ("bundled-v1/aho_corasick", 20),
    8000: ("csmith-v0/18", 4),
}


@pytest.fixture(params=SIZES, ids=lambda size: f"{size}-instructions")
def workload(request) -> Workload:
    uri, count = SIZES[request.param]
    rng = np.random.default_rng(request.param)
    actions = len(make_action_set())
    walks = tuple(tuple(rng.integers(actions, size=EPISODE).tolist()) for _ in range(count))
    return Workload(load_program(uri), walks)


def seconds_of(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Return the processor time of this thread, which other processes on the machine do not add
    to."""
    start = clock()
    work()
    return clock() - start


@pytest.fixture(scope="session")
def timer() -> Callable[..., float]:
    return seconds_of
