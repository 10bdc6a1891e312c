"""Speed, as ratios within one run. ``make bench-speed`` runs this and prints the figures.

Each test also records a pytest-benchmark timing, so that ``--benchmark-compare`` can tell one
version from another.
"""

from __future__ import annotations

import shutil
import subprocess
import time

import gymnasium as gym
import numpy as np
import pytest

from llmopt_bench import PassList, Session, _core

FUNCTION = "bundled-functions-v1/robin_hood_map/rhRemove"


def interleaved(walks, first, second):
    """Return the total seconds of two ways to walk, taken in turns so that both see the same
    machine."""
    totals = [0.0, 0.0]
    for number, walk in enumerate(walks):
        for which in (0, 1) if number % 2 else (1, 0):
            totals[which] += (first, second)[which](walk)
    return totals


def test_step_rate_against_a_bare_loop(workload, timer, benchmark, capsys):
    env = gym.make("llmopt_bench/PassOrder-v0", program=workload.program, observation="autophase")
    pristine = _core.Module.read(workload.program.bitcode, "bare")

    def environment(walk):
        env.reset()
        env.unwrapped.session.writable_module()
        return timer(lambda: [env.step(action) for action in walk])

    def bare(walk):
        module = pristine.clone()
        pipelines = workload.pipelines(walk)
        return timer(lambda: _core.bare_loop(module, pipelines))

    interleaved(workload.walks[:2], environment, bare)
    ours, theirs = interleaved(workload.walks, environment, bare)
    steps = sum(map(len, workload.walks))
    with capsys.disabled():
        print(
            f"\n{workload.program.uri}: {steps / ours:,.0f} steps/s with Autophase, "
            f"bare loop {steps / theirs:,.0f}, ratio {theirs / ours:.3f}"
        )
    benchmark.pedantic(environment, args=(workload.walks[0],), rounds=5)
    assert theirs / ours >= 1.0


def test_reset_costs_at_most_a_clone(workload, timer, benchmark, capsys):
    env = gym.make("llmopt_bench/PassOrder-v0", program=workload.program)
    pristine = _core.Module.read(workload.program.bitcode, "clone")
    env.reset()
    mem2reg = env.unwrapped.action_set.index("mem2reg")
    resets, copies, clones = [], [], []
    for _ in range(40):
        env.step(mem2reg)
        # The old module goes here; the copy to work on is made by the first step.
        resets.append(timer(env.reset))
        copies.append(timer(env.unwrapped.session.writable_module))
        clones.append(timer(pristine.clone))
    reset, copy, clone = (float(np.median(times)) for times in (resets, copies, clones))
    with capsys.disabled():
        print(
            f"\n{workload.program.uri}: reset {reset * 1e6:.0f} us, the copy at the first step "
            f"{copy * 1e6:.0f} us, CloneModule with use lists {clone * 1e6:.0f} us, "
            f"ratio {reset / clone:.2f}"
        )
    benchmark(env.reset)
    assert reset <= clone


@pytest.mark.skipif(shutil.which("opt-22") is None, reason="opt-22 is not installed")
def test_evaluate_against_an_opt_process(tmp_path, benchmark, capsys):
    session = Session(FUNCTION)
    lists = [
        PassList(["sroa", "early-cse", "simplifycfg", "instcombine", "gvn", "adce"]),
        PassList(["mem2reg", "instcombine", "simplifycfg", "licm", "dse"]),
        PassList(["simplifycfg", "sroa", "reassociate", "gvn", "simplifycfg"]),
    ]
    file = tmp_path / "function.bc"
    file.write_bytes(session.program.bitcode)

    def opt(passes):
        command = ["opt-22", f"-passes={passes}", str(file), "-o", "/dev/null"]
        subprocess.run(command, check=True)

    ratios = []
    for passes in lists:
        ours = min(wall(lambda passes=passes: session.evaluate([passes])) for _ in range(20))
        theirs = min(wall(lambda passes=passes: opt(passes)) for _ in range(10))
        ratios.append(theirs / ours)
    with capsys.disabled():
        print(f"\n{FUNCTION}: an opt-22 process takes {[round(r) for r in ratios]} times as long")
    benchmark(session.evaluate, lists)
    assert min(ratios) >= 50


def test_four_environments_on_two_cores(benchmark, capsys):
    options = {"program": "bundled-v1/aho_corasick", "max_passes": 45}

    def rate(num_envs, steps):
        envs = gym.make_vec("llmopt_bench/PassOrder-v0", num_envs=num_envs, threads=2, **options)
        envs.reset(seed=0)
        rng = np.random.default_rng(0)
        size = int(envs.single_action_space.n) - 1
        actions = rng.integers(size, size=(steps * num_envs)).reshape(steps, num_envs)
        return wall(lambda: [envs.step(row) for row in actions]) / actions.size

    rates = [(rate(1, 360), rate(4, 90)) for _ in range(4)]
    speedup = float(np.median([one / four for one, four in rates]))
    with capsys.disabled():
        print(f"\nmake_vec: four environments take {speedup:.2f} times the steps of one")
    benchmark.pedantic(rate, args=(4, 45), rounds=2)
    assert speedup >= 1.7


def wall(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
