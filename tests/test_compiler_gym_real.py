"""The real CompilerGym behind our interface; skipped where it is not set up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from compiler_gym_real import real
from compiler_gym_scripted import running

from llmopt_bench.action_set import make_action_set
from llmopt_bench.compiler_gym_module import CompilerGymHost
from llmopt_bench.compiler_gym_session import CompilerGymSession
from llmopt_bench.datasets import load_program
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.errors import BadProgram, CompilerCrashed
from llmopt_bench.record import read_records

__all__ = ["real"]

pytestmark = pytest.mark.usefixtures("real")

DATA = Path(__file__).parent / "data/conformance"
FEATURES = json.loads((DATA / "features.json").read_text())
SMALL = str(DATA / "t10_0.bc")
LIST = "-mem2reg,-gvn,-simplifycfg,-instcombine,-licm,-loop-unroll"


@pytest.fixture(scope="module")
def host() -> CompilerGymHost:
    """One process for the tests that do it no harm."""
    return CompilerGymHost()


def end_service(host: CompilerGymHost, ending: signal.Signals) -> None:
    """Send a signal to CompilerGym's service, and wait for its end."""
    worker = host.process()._process.pid
    service = int(Path(f"/proc/{worker}/task/{worker}/children").read_text().split()[0])
    os.kill(service, ending)
    while running(service):
        time.sleep(0.01)


def test_the_action_set_is_compiler_gyms(host: CompilerGymHost) -> None:
    assert tuple(host.process().facts["actions"]) == make_action_set("compiler-gym-v0").names
    assert len(host.process().facts["observations"]) == 34
    assert len(host.process().facts["rewards"]) == 12


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_features_are_those_that_were_written_down(name: str, host: CompilerGymHost) -> None:
    session = CompilerGymSession(DATA / f"{name}.bc", isolation=host)
    assert session.instruction_count == FEATURES[name]["ir_instruction_count"]
    assert session.features("autophase").tolist() == FEATURES[name]["autophase"]
    assert session.features("instcount").tolist() == FEATURES[name]["instcount"]


def test_every_action_steps_from_the_start(host: CompilerGymHost) -> None:
    session = CompilerGymSession(SMALL, isolation=host)
    changed = set()
    for name in session.action_set.names:
        session.reset()
        if session.apply(name):
            changed.add(name)
        assert session.instruction_count == session.evaluate([name])[0] > 0
    assert {"-mem2reg", "-sroa", "-gvn", "-instcombine"} <= changed
    assert not {"-barrier", "-coro-split", "-lowerswitch"} & changed


def test_steps_are_one_list_are_a_clone(host: CompilerGymHost) -> None:
    session = CompilerGymSession(str(DATA / "s33_0.bc"), isolation=host)
    (whole,) = session.evaluate([LIST])
    for name in LIST.split(","):
        session.apply(name)
    twin = session.clone()
    assert session.instruction_count == whole == twin.instruction_count < session.initial()
    assert session.bitcode() == twin.bitcode()
    assert session.content_hash() != CompilerGymSession(SMALL, isolation=host).content_hash()


def test_observations_have_the_types_that_they_say(host: CompilerGymHost) -> None:
    session = CompilerGymSession(SMALL, isolation=host)
    session.apply("-mem2reg")
    shown = {name: session.observation(name) for name in host.process().facts["observations"]}
    assert shown["IrInstructionCount"] == session.instruction_count == shown["InstCount"][0]
    assert shown["Autophase"].shape == (56,)
    assert shown["InstCountNorm"].dtype == np.float32
    np.testing.assert_array_equal(list(shown["AutophaseDict"].values()), shown["Autophase"])
    assert shown["Ir"].startswith("; ModuleID = '-'")
    assert shown["Bitcode"].tobytes() == session.bitcode()
    assert len(shown["IrSha1"]) == 40
    assert shown["Inst2vec"].shape[1] == 200
    assert len(shown["Inst2vecPreprocessedText"]) == len(shown["Inst2vecEmbeddingIndices"])
    assert len(shown["Programl"]["nodes"]) == len(shown["ProgramlJson"]["nodes"]) > 0
    assert len(shown["LexedIrTuple"]) == len(shown["LexedIr"]["token_id"]) > 0
    assert shown["CpuInfo"]["cores_count"] > 0
    assert shown["Runtime"] is None  # a program that was not built to run
    assert shown["ObjectTextSizeBytes"] == session.text_size > 0


def test_rewards_are_those_of_the_formulas(host: CompilerGymHost) -> None:
    session = CompilerGymSession(SMALL, isolation=host)
    session.apply("-mem2reg")
    session.apply("-gvn")
    saved = session.initial() - session.instruction_count
    assert session.reward("IrInstructionCount") == saved > 0
    assert session.reward("IrInstructionCountNorm") == pytest.approx(saved / session.initial())
    gain = session.initial() - session.reference("Oz")
    assert session.reward("IrInstructionCountOz") == pytest.approx(saved / gain)
    sizes = {session.reward(f"{kind}Bytes") for kind in ("ObjectTextSize", "TextSize")}
    assert sizes == {session.initial("text_size") - session.text_size}


def test_an_episode_ends_where_the_list_leads() -> None:
    env = PassOrderEnv(SMALL, backend="compiler_gym", reward="instruction_count_oz")
    env.reset(seed=0)
    total = sum(env.step(env.action_names.index(name))[1] for name in LIST.split(","))
    assert env.evaluate(LIST) == env.value
    assert total == pytest.approx((env.initial - env.value) / (env.initial - env.oz))
    fork = env.fork()
    fork.step(fork.action_names.index("-globaldce"))
    env.undo()
    assert str(env.pass_list) == LIST.rpartition(",")[0]


def test_todays_bitcode_is_refused(host: CompilerGymHost) -> None:
    with pytest.raises(BadProgram, match="LLVM 10 can read, got bundled-v1/crc_family"):
        CompilerGymSession("bundled-v1/crc_family", isolation=host)
    assert CompilerGymSession(SMALL, isolation=host).instruction_count == 113


def test_a_killed_service_costs_nothing(host: CompilerGymHost) -> None:
    session, failures = CompilerGymSession(SMALL, isolation=host), host.failures
    session.apply("-mem2reg")
    count = session.instruction_count
    end_service(host, signal.SIGKILL)
    assert session.evaluate(["-mem2reg"]) == [count]
    assert session.instruction_count == count
    assert host.failures == failures


def test_a_crashed_service_costs_the_call(host: CompilerGymHost) -> None:
    session, failures = CompilerGymSession(SMALL, isolation=host), host.failures
    session.apply("-mem2reg")
    count = session.instruction_count
    end_service(host, signal.SIGSEGV)
    with pytest.raises(CompilerCrashed):
        session.apply("-gvn")
    assert session.instruction_count == count
    assert host.failures == failures + 1


def test_generated_programs_are_the_same_each_time(host: CompilerGymHost) -> None:
    program = load_program("generator://llvm-stress-v0/7")
    assert program == load_program("generator://llvm-stress-v0/7")
    assert program != load_program("generator://llvm-stress-v0/8")
    try:
        session = CompilerGymSession(program, isolation=host)
    except BadProgram:
        pytest.skip(
            "llvm-stress of LLVM 14 or older is not installed, and newer ones write other IR"
        )
    assert session.instruction_count > 100


def test_a_run_gives_records_that_hold(tmp_path: Path) -> None:
    # The program's address differs from checkout to checkout, and with it the draws of agents that
    # draw: greedy does not, and its budget is once each action.
    task = tmp_path / "task.toml"
    task.write_text(
        'name = "compiler-gym-test-v0"\nmetric = "instruction_count"\nbudget = 124\n'
        f'action_set = "compiler-gym-v0"\nprograms = ["{Path(SMALL).as_uri()}"]\n'
    )
    command = [sys.executable, "-m", "llmopt_bench"]
    run = ["run", "--task", str(task), "--agents", "greedy", "--jobs", "1", "--out", str(tmp_path)]
    subprocess.run([*command, *run], check=True, capture_output=True)
    records = list(read_records(tmp_path))
    assert [record.status for record in records] == ["ok"]
    assert {record.llvm_version for record in records} == {"10.0.0"}
    assert {record.build["compiler_gym"] for record in records} == {"0.2.5"}
    assert all(record.new is not None and record.new < record.initial for record in records)
    verify = subprocess.run([*command, "verify", str(tmp_path)], capture_output=True, text=True)
    assert (verify.returncode, verify.stdout) == (0, "1 of 1 records hold\n")
