"""What isolation costs, as ratios within one run: worker processes against in-process."""

from __future__ import annotations

import time

import gymnasium as gym

from llmopt_bench.isolation import DEFAULT

REPEATS = 9
# The least of the in-process step rate that a walk in a worker may have.
AIMS = {"rhRemove": 0.75, "aho_corasick": 0.90}


def step_rate(program, isolation, walks):
    """Return a function that walks once, in wall time: two processes share the work."""
    env = gym.make(
        "llmopt_bench/PassOrder-v0",
        program=program,
        observation="autophase",
        isolation=isolation,
    )

    def walk(number):
        env.reset()
        start = time.perf_counter()
        for action in walks[number]:
            env.step(action)
        return time.perf_counter() - start

    return walk


def test_step_rate_of_workers_against_in_process(workload, benchmark, capsys):
    ways = [step_rate(workload.program, isolation, workload.walks) for isolation in (DEFAULT, None)]
    totals = [0.0, 0.0]
    for number in range(len(workload.walks)):
        best = [float("inf"), float("inf")]
        for repeat in range(REPEATS):
            for which in (0, 1) if repeat % 2 else (1, 0):
                best[which] = min(best[which], ways[which](number))
        totals = [total + one for total, one in zip(totals, best, strict=True)]
    steps = sum(map(len, workload.walks))
    ratio = totals[1] / totals[0]
    with capsys.disabled():
        print(
            f"\n{workload.label}: {totals[0] / steps * 1e6:.1f} us a step in a worker, "
            f"{totals[1] / steps * 1e6:.1f} us in process: {ratio:.3f} of the step rate"
        )
    benchmark.pedantic(ways[0], args=(0,), rounds=5)
    name = workload.label.rpartition("/")[2]
    assert ratio >= AIMS.get(name, 0.9)
