"""Damaged bitcode and IR text: an error of this library each, and the process lives on."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from llmopt_bench import Session
from llmopt_bench.isolation import Host

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from mutants import LIMITS, MUTATIONS, mutants, outcome, sources

ERRORS = {
    *("BadProgram", "InvalidModule"),
    *("CompilerCrashed", "CompilerTimeout", "CompilerOutOfMemory"),
}


def outcomes(count: int, seed: int) -> Counter[str]:
    """Return how often mutants ended in which way; anything but an error of ours raises."""
    host = Host(LIMITS)
    return Counter(outcome(data, host) for data in mutants(count, seed))


def check(seen: Counter[str], count: int) -> None:
    assert sum(seen.values()) == count
    assert {name.partition(":")[0] for name in seen} - {"ok"} <= ERRORS
    # Else the mutants are too harmless, or too broken, to test anything.
    assert seen["ok"] > count / 50
    assert seen["BadProgram: refused"] > count / 2
    assert Session("bundled-v1/crc_family").apply("Oz")


def test_mutants() -> None:
    seen = outcomes(10_000, seed=1)
    check(seen, 10_000)
    # Without a worker process each of these would have been the end of this one.
    assert any("crashed" in name or "memory" in name for name in seen)


@pytest.mark.nightly
def test_many_mutants() -> None:
    check(outcomes(200_000, seed=2), 200_000)


def test_every_mutation_damages() -> None:
    rng = random.Random(0)
    (bitcode, text), *_ = sources(rng, 1)
    for mutation in MUTATIONS:
        for original in (bitcode, text):
            results = {bytes(mutation(bytearray(original), rng, text)) for _ in range(8)}
            assert results - {original}, mutation.__name__
