"""Memory stays flat, however long a process works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from endurance import WARM_UP, Sample, growth, has_grown, run


@pytest.mark.nightly
def test_memory_is_flat_over_many_steps() -> None:
    samples = run(150_000, every=2_000)
    assert samples[-1].crashes > 0
    assert samples[-1].workers <= 12
    assert not has_grown(samples), [growth(samples, n) for n in ("process_mib", "workers_mib")]


def test_growth_is_seen() -> None:
    def sample(step: int, mib: float) -> Sample:
        return Sample(step, mib, 50, 5, 0, 0)

    steps = range(0, 200_000, 2_000)
    assert not has_grown([sample(step, 40 + step // 2_000 % 3) for step in steps])
    assert has_grown([sample(step, 40 + step / 2_000) for step in steps])
    assert not has_grown([sample(step, 40 + 40 * (step >= WARM_UP)) for step in steps])
