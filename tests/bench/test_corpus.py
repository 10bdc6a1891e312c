"""How long a program of the corpus takes to load, and how much memory going through all of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from llmopt_bench import load_program, make_dataset

CORPUS = make_dataset("corpus-v1")
if not CORPUS.installed:
    pytest.skip("needs `llmopt-bench datasets build corpus-v1`", allow_module_level=True)

ITERATE = """
import resource
from llmopt_bench import make_dataset
programs = iter(make_dataset("corpus-v1"))
peaks = []
for number, program in enumerate(programs):
    if number % 5000 == 0:
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(number + 1, *peaks)
"""


def test_load_by_uri(benchmark):
    uris = list(CORPUS.uris())
    rng = np.random.default_rng(0)
    load_program(uris[0])
    chosen = iter([uris[int(i)] for i in rng.integers(len(uris), size=20_000)])
    benchmark.pedantic(lambda: load_program(next(chosen)), rounds=2000)
    assert benchmark.stats.stats.median < 0.005


def test_iteration_takes_constant_memory(benchmark):
    def iterate():
        done = subprocess.run(
            [sys.executable, "-c", ITERATE], capture_output=True, text=True, check=True
        )
        return [int(word) for word in done.stdout.split()]

    count, *peaks = benchmark.pedantic(iterate, rounds=1)
    print(f"\n{count:,} programs; peak MiB every 5,000: {peaks}")
    assert count == len(CORPUS)
    assert peaks[-1] - peaks[1] < 20
