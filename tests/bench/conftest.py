"""What the speed tests share: programs of three sizes, and walks that are the same for all."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench import Program, load_program, make_action_set
from llmopt_bench.frontend import compile_source

EPISODE = 45


@dataclass(frozen=True)
class Workload:
    """A program and random walks of 45 actions over all of passes-v1."""

    label: str
    program: Program
    walks: tuple[tuple[int, ...], ...]

    def pipelines(self, walk: tuple[int, ...]) -> list[str]:
        return [make_action_set().pipelines[action] for action in walk]


# About 100, 700 and 8,000 instructions. The largest is three programs linked into one.
SIZES = {
    100: ("bundled-functions-v1/robin_hood_map/rhRemove", 40),
    700: ("bundled-v1/aho_corasick", 12),
    8000: ("text_format linalg_lu_qr regex_pike", 3),
}


def link(names: list[str], folder: Path) -> Program:
    if shutil.which("llvm-link-22") is None:
        pytest.skip("llvm-link-22 is not installed")
    files = []
    for name in names:
        source = load_program(f"bundled-v1/{name}").source
        data = compile_source(source, "c", cflags=[f"-Dmain=main_{name}"])
        files.append(folder / f"{name}.bc")
        files[-1].write_bytes(data)
    out = folder / "linked.bc"
    subprocess.run(["llvm-link-22", *files, "-o", out], check=True)
    return load_program(str(out))


@pytest.fixture(params=SIZES, ids=lambda size: f"{size}-instructions")
def workload(request, tmp_path) -> Workload:
    name, count = SIZES[request.param]
    rng = np.random.default_rng(request.param)
    actions = len(make_action_set())
    walks = tuple(tuple(rng.integers(actions, size=EPISODE).tolist()) for _ in range(count))
    program = load_program(name) if "/" in name else link(name.split(), tmp_path)
    return Workload(name, program, walks)


def seconds_of(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Return the processor time of this thread, which other processes on the machine do not add
    to."""
    start = clock()
    work()
    return clock() - start


@pytest.fixture(scope="session")
def timer() -> Callable[..., float]:
    return seconds_of
