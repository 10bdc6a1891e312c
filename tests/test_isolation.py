"""Isolation: whatever LLVM does in a worker, this process and the state of a session live on."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import llmopt_bench
from llmopt_bench import Isolation, PassList, Session, cli_isolation, make_action_set
from llmopt_bench.action_set import ActionSet
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerOutOfMemory,
    CompilerTimeout,
    InvalidModule,
)
from llmopt_bench.isolation import DEFAULT, Host
from llmopt_bench.vector import PassOrderVectorEnv
from llmopt_bench.verify import replay

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from process_tree import is_gone

PROGRAM = "bundled-v1/crc_family"
FAULTY = ActionSet.from_toml(
    """
    name = "faulty"
    llvm_major = 22
    [[action]]
    name = "mem2reg"
    pipeline = "function(mem2reg)"
    level = "function"
    [[action]]
    name = "simplifycfg"
    pipeline = "function(simplifycfg)"
    level = "function"
    [[action]]
    name = "trigger-crash-module"
    pipeline = "trigger-crash-module"
    level = "module"
    [[action]]
    name = "trigger-verifier-error"
    pipeline = "trigger-verifier-error"
    level = "module"
    """
)
MEM2REG, SIMPLIFYCFG, CRASH, _, STOP = range(5)


def load_faults():
    spec = importlib.util.spec_from_file_location("faults", Path(__file__).with_name("faults.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


faults = load_faults()


def worker_pid(session: Session) -> int:
    session.instruction_count  # noqa: B018  (the worker runs, and has said its number)
    return session.state.host._worker.pid


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("fault", ["trigger-crash-module", "trigger-crash-function"])
def test_a_crash_raises_and_leaves_the_session_where_it_was(fault):
    session = Session(PROGRAM)
    session.apply("mem2reg")
    before = session.content_hash()
    with pytest.raises(CompilerCrashed, match=f"crashed .* in Trigger.* while running '{fault}'"):
        session.apply(fault)
    assert session.content_hash() == before
    assert session.apply("simplifycfg")
    fresh = Session(PROGRAM)
    fresh.apply(PassList(["mem2reg", "simplifycfg"]))
    assert session.content_hash() == fresh.content_hash()


def test_a_fatal_error_says_what_llvm_said():
    session = Session(PROGRAM)
    with pytest.raises(CompilerCrashed, match=r"LLVM gave up: LICM requires MemorySSA .*LICMPass"):
        session.apply("function(loop(licm))")
    assert session.apply("licm")


def test_a_module_that_the_verifier_refuses_is_no_answer():
    with pytest.raises(InvalidModule, match="verifier"):
        replay(llmopt_bench.load_program(PROGRAM), PassList(["trigger-verifier-error"], FAULTY))


def test_a_pass_that_never_ends_meets_the_deadline():
    program = faults.loop_nest()
    session = Session(program, isolation=Isolation(deadline=0.5))
    start = time.monotonic()
    with pytest.raises(CompilerTimeout, match=r"deadline of 0.5 s while running 'function\(loop"):
        session.apply("licm")
    assert time.monotonic() - start < 5
    assert session.instruction_count == Session(program).instruction_count


def test_a_pass_that_eats_memory_meets_the_limit():
    session = Session(faults.doubling(), isolation=Isolation(memory_mib=150))
    with pytest.raises(CompilerOutOfMemory, match="limit of 150 MiB while running 'always-inline'"):
        session.apply("always-inline")
    assert session.apply("mem2reg") is False


def test_a_stack_that_overflows_makes_a_bad_program():
    host = Host()
    # A pass that ran before, in the same process, is not to blame.
    host.read(llmopt_bench.load_program(PROGRAM).bitcode, "good.bc").run("function(simplifycfg)")
    with pytest.raises(BadProgram, match="overflowed its stack while reading deep"):
        host.read(faults.nested_type(), "deep.ll")


def test_an_evaluation_that_fails_can_have_a_value():
    session = Session(PROGRAM, action_set=FAULTY)
    lists = [["mem2reg"], ["mem2reg", "trigger-crash-module"], ["simplifycfg"]]
    alone = [session.evaluate([one])[0] for one in (lists[0], lists[2])]
    assert session.evaluate(lists, failure=-1) == [alone[0], -1, alone[1]]
    assert session.evaluate(lists, here=True, failure=-1) == [alone[0], -1, alone[1]]
    with pytest.raises(CompilerCrashed):
        session.evaluate(lists)


def test_an_environment_ends_the_episode_and_stays_where_it_was():
    env = gym.make("llmopt_bench/PassOrder-v0", program=PROGRAM, action_set=FAULTY, budget=9)
    env.reset()
    _, _, _, _, before = env.step(MEM2REG)
    observation, reward, terminated, truncated, info = env.step(CRASH)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["error"].startswith("CompilerCrashed: LLVM crashed")
    assert info["instruction_count"] == before["instruction_count"]
    assert info["pass_list"] == "function(mem2reg)"
    assert info["compilations"] == 2
    assert np.array_equal(observation, env.unwrapped.session.features())
    env.reset()
    assert env.step(MEM2REG)[4]["instruction_count"] == before["instruction_count"]


def test_forks_of_an_environment_survive_its_crash():
    env = PassOrderEnv(PROGRAM, action_set=FAULTY)
    env.reset()
    env.step(MEM2REG)
    twin = env.fork()
    env.step(CRASH)
    _, _, _, _, info = twin.step(SIMPLIFYCFG)
    env.undo()
    env.step(MEM2REG)
    assert env.step(SIMPLIFYCFG)[4]["instruction_count"] == info["instruction_count"]
    assert env.session.content_hash() == twin.session.content_hash()


def test_one_environment_of_a_vector_crashes_and_the_others_go_on():
    envs = PassOrderVectorEnv(3, program=PROGRAM, action_set=FAULTY)
    envs.reset(seed=1)
    _, _, terminated, truncated, infos = envs.step([MEM2REG, CRASH, MEM2REG])
    assert terminated.tolist() == [False, True, False]
    assert not truncated.any()
    counts = infos["instruction_count"].tolist()
    assert counts[0] == counts[2] < counts[1] == envs.envs[1].initial
    assert infos["error"][1].startswith("CompilerCrashed")
    _, rewards, terminated, _, _ = envs.step([SIMPLIFYCFG] * 3)
    assert rewards[1] == 0
    assert not terminated.any()
    _, _, _, _, infos = envs.step([STOP, MEM2REG, STOP])
    assert infos["instruction_count"][1] == counts[0]


def test_a_worker_that_is_killed_is_replaced_without_a_trace():
    session = Session(PROGRAM)
    session.apply("mem2reg")
    before = session.content_hash()
    for signal_number in (signal.SIGKILL, signal.SIGTERM):
        pid = worker_pid(session)
        os.kill(pid, signal_number)
        assert wait_until(lambda pid=pid: is_gone(pid))
        assert session.content_hash() == before
        assert worker_pid(session) != pid


def test_a_fork_server_that_is_killed_is_replaced_without_a_trace():
    session = Session(PROGRAM)
    session.apply("mem2reg")
    before, pid = session.content_hash(), worker_pid(session)
    server = int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    assert wait_until(lambda: is_gone(pid)), "a worker outlived its server"
    assert session.content_hash() == before
    assert Session(PROGRAM).instruction_count > session.instruction_count


def test_workers_that_are_killed_all_the_time_change_no_result():
    rng = random.Random(3)
    lists = [rng.choices(make_action_set().names, k=8) for _ in range(150)]
    expected = Session(PROGRAM).evaluate(lists)
    host = Host()
    session = Session(PROGRAM, isolation=host)
    done = threading.Event()
    kills = 0

    def kill() -> None:
        nonlocal kills
        while not done.wait(rng.uniform(0.1, 0.6)):
            if (worker := host._worker) is not None and (pid := worker.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills += 1

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        assert session.evaluate(lists) == expected
    finally:
        done.set()
        thread.join()
    assert kills > 2


def test_isolated_and_in_process_give_the_same_in_every_respect():
    rng = random.Random(11)
    pipelines = make_action_set().pipelines
    uris = rng.sample(list(llmopt_bench.make_dataset("bundled-v1").uris()), 6)
    for uri in uris:
        near, far = Session(uri, isolation=None), Session(uri)
        for pipeline in rng.choices(pipelines, k=12):
            rows = np.empty((2, 56), dtype=np.int64)
            assert near.step(pipeline, rows[0]) == far.step(pipeline, rows[1])
            assert np.array_equal(*rows)
        for ask in (
            lambda s: s.content_hash(),
            lambda s: s.ir(),
            lambda s: s.ir(normalized=True),
            lambda s: s.text_size,
            lambda s: s.external_definitions(),
            lambda s: s.features("instcount").tolist(),
            lambda s: s.features("autophase_native").tolist(),
            lambda s: s.initial("text_size"),
        ):
            assert ask(near) == ask(far)


def test_a_forked_child_has_a_compiler_of_its_own():
    session = Session(PROGRAM)
    session.apply("mem2reg")
    count, parents_worker = session.instruction_count, worker_pid(session)
    pid = os.fork()
    if pid == 0:
        same = session.instruction_count == count and worker_pid(session) != parents_worker
        fresh = Session(PROGRAM).instruction_count > count
        os._exit(0 if same and fresh else 1)
    _, status = os.waitpid(pid, 0)
    assert status == 0
    assert worker_pid(session) == parents_worker


def test_limits_that_make_no_sense_are_refused():
    for options in ({"deadline": -1.0}, {"memory_mib": -1}, {"deadline": float("nan")}):
        with pytest.raises(ValueError, match="expected limits of 0"):
            Isolation(**options)


def test_no_limits_are_possible():
    session = Session(PROGRAM, isolation=Isolation(deadline=0, memory_mib=0))
    assert session.apply("Oz")


def test_the_command_line_has_the_same_defaults():
    assert Isolation(cli_isolation.DEADLINE, cli_isolation.MEMORY_MIB) == DEFAULT


# What happens to the processes is seen from outside: a script of a user, and what it leaves.
BUSY = """
    import os, sys, threading
    sys.path.insert(0, sys.argv[1])
    import faults
    from llmopt_bench import Session
    session = Session(faults.loop_nest())
    server = os.getpgid(session.state.host._worker.pid)
    print(server, session.state.host._worker.pid, flush=True)
"""


@contextlib.contextmanager
def script(*lines: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a script that has a session; give its process, and the pids of server and worker."""
    text = textwrap.dedent(BUSY) + "\n".join(lines)
    with subprocess.Popen(
        [sys.executable, "-c", text, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell in the background may have left SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        yield process, pids


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_process_that_is_killed_in_a_pass(how):
    with script("session.apply('licm')") as (process, pids):
        time.sleep(0.3)
        process.send_signal(how)
        process.wait(10)
    assert wait_until(lambda: all(map(is_gone, pids)), 5)


def test_nothing_outlives_a_process_that_ends():
    with script("session.instruction_count") as (process, pids):
        assert process.wait(10) == 0
    # The server was waited for, and it waited for the worker.
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_nothing_outlives_a_process_whose_child_lives_on():
    lines = ["if os.fork() == 0:", "    os.closerange(0, 3)", "    import time; time.sleep(6)"]
    lines.append("os._exit(0)")
    with script(*lines) as (process, pids):
        process.wait(10)
    assert wait_until(lambda: all(map(is_gone, pids)), 5)


def test_ctrl_c_ends_a_pass_and_the_session_goes_on():
    lines = ["try:", "    session.apply('licm')", "except KeyboardInterrupt:"]
    with script(*lines, "    print(session.instruction_count)") as (process, _):
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = process.communicate(timeout=20)
    assert out.strip() == str(Session(faults.loop_nest()).instruction_count), err
    assert time.monotonic() - start < 5


def test_dead_workers_leave_no_zombies_and_no_files():
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    session = Session(PROGRAM)
    server = os.getpgid(worker_pid(session))
    for _ in range(20):
        with pytest.raises(CompilerCrashed):
            session.apply("trigger-crash-module")
    children = Path(f"/proc/{server}/task/{server}/children").read_text("utf-8").split()
    states = {Path(f"/proc/{pid}/stat").read_text("utf-8").split()[2] for pid in children}
    assert "Z" not in states
    assert len(children) <= 6
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_files + 2
