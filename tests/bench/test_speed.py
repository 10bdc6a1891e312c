"""Speed, as ratios within one run. ``make bench-speed`` runs this and prints the figures.

Each test also records a pytest-benchmark timing, so that ``--benchmark-compare`` can tell one
version from another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import gymnasium as gym
import numpy as np
import pytest

from llmopt_bench import PassList, Session, _core, load_program, make_action_set
from llmopt_bench.isolation import DEFAULT

# 57 instructions, the median of bundled-functions-v1.
FUNCTION = "bundled-functions-v1/radix_trie/split_node"


REPEATS = 5


def interleaved(walks, first, second):
    """Return the total seconds of two ways to walk: the best of some repeats for each walk, taken
    in turns so that both see the same machine."""
    totals = [0.0, 0.0]
    for walk in walks:
        times: tuple[list[float], list[float]] = ([], [])
        for repeat in range(REPEATS):
            for which in (0, 1) if repeat % 2 else (1, 0):
                times[which].append((first, second)[which](walk))
        totals = [total + min(some) for total, some in zip(totals, times, strict=True)]
    return totals


def test_step_rate_against_a_bare_loop(workload, timer, benchmark, capsys):
    # What isolation adds is measured in test_isolation.py.
    env = gym.make("llmopt_bench/PassOrder-v0", program=workload.program, isolation=None)
    pristine = _core.Module.read(workload.program.bitcode, "bare")

    def environment(walk):
        env.reset()
        env.unwrapped.session.state.writable_module()
        return timer(lambda: [env.step(action) for action in walk])

    def bare(walk):
        module = pristine.clone()
        pipelines = workload.pipelines(walk)
        return timer(lambda: _core.bare_loop(module, pipelines))

    ours, theirs = interleaved(workload.walks, environment, bare)
    steps = sum(map(len, workload.walks))
    with capsys.disabled():
        print(
            f"\n{workload.label}: {steps / ours:,.0f} steps/s with Autophase, "
            f"bare loop {steps / theirs:,.0f}, ratio {theirs / ours:.3f}"
        )
    benchmark.pedantic(environment, args=(workload.walks[0],), rounds=5)
    assert theirs / ours >= 1.0


def test_reset_costs_at_most_a_clone(workload, timer, benchmark, capsys):
    env = gym.make("llmopt_bench/PassOrder-v0", program=workload.program, isolation=None)
    pristine = _core.Module.read(workload.program.bitcode, "clone")
    env.reset()
    mem2reg = env.unwrapped.action_set.index("mem2reg")
    resets, copies, clones = [], [], []
    for _ in range(40):
        env.step(mem2reg)
        # The old module goes here; the copy to work on is made by the first step.
        resets.append(timer(env.reset))
        copies.append(timer(env.unwrapped.session.state.writable_module))
        clones.append(_core.bare_clone(pristine))
    reset, copy, clone = (float(np.median(times)) for times in (resets, copies, clones))
    with capsys.disabled():
        print(
            f"\n{workload.label}: reset {reset * 1e6:.0f} us, the copy at the first step "
            f"{copy * 1e6:.0f} us, CloneModule {clone * 1e6:.0f} us, "
            f"ratio {reset / clone:.2f}"
        )
    benchmark(env.reset)
    assert reset <= clone


def test_graph_against_autophase(workload, timer, benchmark, capsys):
    module = _core.Module.read(workload.program.bitcode, "graph")
    features = np.empty(56, dtype=np.int64)
    repeats = 1 + 10_000 // module.instruction_count()

    def seconds(compute):
        return min(timer(lambda: [compute() for _ in range(repeats)]) for _ in range(20)) / repeats

    graph, autophase = seconds(module.graph), seconds(lambda: module.autophase(features))
    with capsys.disabled():
        print(
            f"\n{workload.label}: graph {graph * 1e6:.1f} us, Autophase {autophase * 1e6:.1f} us, "
            f"ratio {graph / autophase:.1f}"
        )
    benchmark(module.graph)
    assert graph <= 15 * autophase


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


isolations = pytest.mark.parametrize("isolation", [DEFAULT, None], ids=["workers", "threads"])


def vector_walks(same):
    """Return actions for four environments and 90 steps: the same for all, or to each its own."""
    size = len(make_action_set())
    rng = np.random.default_rng(0)
    return (
        rng.integers(size, size=(90, 1)).repeat(4, 1) if same else rng.integers(size, size=(90, 4))
    )


def make_vector(num_envs, isolation):
    program = "bundled-v1/aho_corasick"
    return gym.make_vec(
        "llmopt_bench/PassOrder-v0",
        num_envs=num_envs,
        threads=2,
        program=program,
        isolation=isolation,
    )


def vector_seconds(envs, actions):
    """Return the wall-clock time to take these actions."""
    envs.reset(seed=0)
    return wall(lambda: [envs.step(row) for row in actions])


def speedup_of_four(actions, isolation):
    """Return how much faster four environments step together than one after another: the best of
    many tries of each, taken in turns. On a shared machine even two threads that have nothing to
    do with each other are at times only 1.5 times as fast as one."""
    four, one = make_vector(4, isolation), make_vector(1, isolation)
    together, alone = [], []
    for _ in range(16):
        together.append(vector_seconds(four, actions))
        alone.append([vector_seconds(one, actions[:, i : i + 1]) for i in range(4)])
    return np.min(alone, axis=0).sum() / min(together)


@isolations
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_four_environments_on_two_cores(isolation, benchmark, capsys):
    actions = vector_walks(same=True)
    speedup = speedup_of_four(actions, isolation)
    with capsys.disabled():
        print(
            f"\nmake_vec, equal actions, {isolation}: four environments step {speedup:.2f} times "
            "as fast as one"
        )
    benchmark.pedantic(vector_seconds, args=(make_vector(4, isolation), actions[:20]), rounds=2)
    assert speedup >= 1.7


@isolations
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_four_environments_with_unequal_actions(isolation, capsys):
    """A step ends when its slowest pass does, and a whole pipeline takes a hundred times as long
    as a pass: what two cores can reach is limited by the actions, so that is what this is held
    to."""
    actions = vector_walks(same=False)
    speedup = speedup_of_four(actions, isolation)
    costs = np.array([step_costs(actions[:, i]) for i in range(4)])
    bound = costs.sum() / sum(makespan(row, cores=2) for row in costs.T)
    with capsys.disabled():
        print(
            f"\nmake_vec, own actions, {isolation}: {speedup:.2f} times as fast; a step's slowest "
            f"pass allows {bound:.2f}"
        )
    assert speedup >= 0.85 * bound


def step_costs(walk):
    module = _core.Module.read(load_program("bundled-v1/aho_corasick").bitcode, "walk").clone()
    pipelines = make_action_set().pipelines
    return [wall(lambda action=action: module.run(pipelines[action])) for action in walk]


def makespan(costs, cores):
    """Return when the last of some jobs ends that are handed out in order."""
    ends = [0.0] * cores
    for cost in costs:
        ends[ends.index(min(ends))] += cost
    return max(ends)


def wall(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
