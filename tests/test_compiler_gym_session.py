"""Sessions, environments and replays in CompilerGym's process, with a stand-in for CompilerGym."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from compiler_gym_scripted import Script, script

from llmopt_bench.action_set import make_action_set
from llmopt_bench.backend import backend_of, choose_action_set, compiler_facts
from llmopt_bench.compiler_gym_module import CompilerGymHost
from llmopt_bench.compiler_gym_session import CompilerGymSession
from llmopt_bench.datasets import load_program
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerError,
    CompilerKilled,
    CompilerTimeout,
    NoCompilerGym,
    UnknownName,
    UnknownPass,
    UnknownProgram,
)
from llmopt_bench.isolation import Isolation
from llmopt_bench.passes import PassList
from llmopt_bench.program import Program
from llmopt_bench.session import Session
from llmopt_bench.verify import settle

__all__ = ["script"]

PROGRAM = "bundled-v1/crc_family"


@pytest.fixture
def session(script: Script) -> Session:
    return Session(PROGRAM, backend="compiler_gym")


def test_a_session_counts_and_applies(session: Session) -> None:
    assert session.apply("-shrink") is True
    assert session.apply("-always-inline") is False
    assert (session.instruction_count, session.initial(), session.reference("Oz")) == (99, 100, 90)
    assert session.reference("O3") == 95
    assert session.ir() == "; after -shrink -always-inline"
    session.reset()
    assert session.instruction_count == 100


def test_evaluations_leave_the_session_alone(session: Session) -> None:
    session.apply("-shrink")
    lists = ["-shrink,-shrink", "", "-always-inline -shrink"]
    actions = make_action_set("compiler-gym-v0")
    known = [PassList.parse(text.replace("-shrink", "-sink"), actions) for text in lists]
    with pytest.raises(UnknownPass, match="action '-sink'"):
        session.evaluate(known)
    assert session.state.evaluate(["-shrink", "-shrink"], False, here=False) == 98
    assert session.state.evaluate(["-shrink", "-shrink"], False, here=True) == 97
    assert session.instruction_count == 99


def test_a_clone_goes_on_by_itself(script: Script) -> None:
    session = CompilerGymSession(PROGRAM)
    session.apply("-shrink")
    twin = session.clone()
    assert isinstance(twin, CompilerGymSession)
    twin.step("-shrink")
    assert (session.instruction_count, twin.instruction_count) == (99, 98)


def test_a_module_is_copied_with_what_was_applied(script: Script) -> None:
    module = CompilerGymHost().read(load_program(PROGRAM).bitcode, PROGRAM)
    module.step("-shrink")
    twin = module.clone()
    assert module.evaluate("-shrink") == module.evaluate("-shrink") == 98
    assert (module.instruction_count(), twin.instruction_count()) == (99, 99)
    twin.run("-shrink")
    assert (module.instruction_count(), twin.instruction_count()) == (99, 98)


@pytest.mark.parametrize(
    ("action", "error"),
    [("-refuse", CompilerError), ("-crash", CompilerCrashed), ("-hang", CompilerTimeout)],
)
def test_after_a_failure_the_session_is_where_it_was(
    script: Script, action: str, error: type[Exception]
) -> None:
    session = Session(PROGRAM, backend="compiler_gym", isolation=Isolation(deadline=0.5))
    session.apply("-shrink")
    with pytest.raises(error) as caught:
        session.apply(action)
    assert type(caught.value) is error
    assert session.ir() == "; after -shrink"
    assert session.state.host.failures == 1
    assert len(script.processes) == 4  # with a child each


def test_a_kill_from_outside_costs_nothing(session: Session) -> None:
    session.apply("-shrink")
    session.step("-crash-once")
    assert session.ir() == "; after -shrink -crash-once"
    assert session.state.host.failures == 0


def test_a_process_that_is_always_killed_is_given_up(session: Session) -> None:
    with pytest.raises(CompilerKilled):
        session.step("-killed")


def test_features_are_those_of_compiler_gym(session: Session) -> None:
    np.testing.assert_array_equal(session.features("autophase"), np.arange(56))
    # Of the bitcode, which the stand-in gives back as it came.
    native = session.features("autophase_native")
    np.testing.assert_array_equal(native, Session(PROGRAM).features("autophase_native"))


def test_what_only_todays_llvm_knows_is_of_the_same_module(session: Session) -> None:
    ours = Session(PROGRAM)
    assert session.content_hash() == ours.content_hash()
    assert session.external_definitions() == ours.external_definitions()
    assert session.ir(normalized=True) == ours.ir(normalized=True)
    session.verify()


def test_names_that_compiler_gym_does_not_have_are_refused(script: Script) -> None:
    session = CompilerGymSession(PROGRAM)
    assert session.observation("Ir") == "; after "
    session.step("-shrink")
    assert session.reward("IrInstructionCount") == session.reward("IrInstructionCount") == 1.0
    with pytest.raises(UnknownName, match=r"observation of CompilerGym 'Irr'.* Did you mean 'Ir'"):
        session.observation("Irr")
    with pytest.raises(UnknownName, match="reward of CompilerGym"):
        session.reward("Ir")
    with pytest.raises(UnknownName, match="Known: O0, O3, Oz"):
        session.reference("Os")
    with pytest.raises(UnknownPass, match="with their dash"):
        session.apply("shrink")
    assert session.observation("Ir") == "; after -shrink"


def test_a_program_that_does_not_parse_is_bad(script: Script) -> None:
    wrapped = Program("wrapped", (0x0B17C0DE).to_bytes(4, "little"))
    with pytest.raises(BadProgram, match=r"LLVM 10 can read, got wrapped. .*it does not parse"):
        Session(wrapped, backend="compiler_gym")


def test_both_compilers_keep_their_references_apart(session: Session) -> None:
    assert session.reference("Oz") == 90
    assert Session(PROGRAM).reference("Oz") != 90
    assert session.reference("Oz") == 90


def test_an_environment_works_with_the_backend(script: Script) -> None:
    env = gym.make("llmopt_bench/PassOrder-v0", program=PROGRAM, backend="compiler_gym").unwrapped
    observation, info = env.reset(seed=0)  # type: ignore[attr-defined]
    assert info["instruction_count"] == 100
    np.testing.assert_array_equal(observation, np.arange(56))
    assert isinstance(env.session, CompilerGymSession)  # type: ignore[attr-defined]
    assert env.action_space.n == 125  # type: ignore[attr-defined]
    assert env.oz == 90  # type: ignore[attr-defined]
    number = env.action_names.index("-always-inline")  # type: ignore[attr-defined]
    _, reward, terminated, _, info = env.step(number)
    assert (reward, terminated, info["pass_list"]) == (0.0, False, "-always-inline")


def test_a_whole_list_is_an_answer(script: Script) -> None:
    env = gym.make("llmopt_bench/PassList-v0", program=PROGRAM, backend="compiler_gym")
    ir, _ = env.reset(seed=0)
    assert ir == Session(PROGRAM).ir(normalized=True)
    _, reward, terminated, _, info = env.step("-always-inline -always-inline")
    assert (reward, terminated) == (0.0, True)
    assert info["pass_list"] == "-always-inline,-always-inline"
    env.reset()
    _, _, _, _, info = env.step("licm")
    assert info["error"].startswith("UnknownPass: unknown pass 'licm'. Did you mean '-licm'")


def test_an_answer_ends_with_the_inlining_of_its_backend(script: Script) -> None:
    actions = make_action_set("compiler-gym-v0")
    answer = PassList(["-always-inline"], actions)
    settled, session = settle(load_program(PROGRAM), answer)
    assert settled == answer  # the stand-in says that inlining changes nothing
    assert session.measure() == 100
    assert script.log.count("apply") >= 2


def test_a_set_of_actions_belongs_to_a_backend() -> None:
    assert choose_action_set(None, None).name == "passes-v1"
    assert choose_action_set("compiler_gym", None).name == "compiler-gym-v0"
    assert backend_of(choose_action_set(None, "compiler-gym-v0")) == "compiler_gym"
    assert backend_of(make_action_set("compiler-gym-llvm22-v1")) == "llvm"
    with pytest.raises(ValueError, match="backend compiler_gym, got passes-v1 of llvm"):
        choose_action_set("compiler_gym", "passes-v1")
    with pytest.raises(UnknownName, match="unknown backend 'gcc'"):
        choose_action_set("gcc", None)


def test_facts_name_the_compiler(script: Script) -> None:
    facts = compiler_facts(make_action_set("compiler-gym-v0"))
    assert (facts["llvm_version"], facts["compiler_gym"]) == ("10.0.0", "0.0")
    assert compiler_facts(make_action_set("passes-v1")) == {}


def test_its_actions_are_read_as_they_are_written() -> None:
    actions = make_action_set("compiler-gym-v0")
    assert len(actions) == 124
    listed = "opt -mem2reg -early-cse-memssa -prune-eh input.bc -o output.bc"
    parsed = PassList.parse(listed, actions)
    assert parsed.compact == str(parsed) == "-mem2reg,-early-cse-memssa,-prune-eh"
    assert PassList.parse(parsed.compact, actions) == parsed


def test_programs_of_its_datasets_are_asked_for(script: Script) -> None:
    with pytest.raises(UnknownProgram, match="no dataset: generator://nope-v0/1"):
        load_program("generator://nope-v0/1")
    with pytest.raises(UnknownProgram, match="no dataset: benchmark://cbench-v1/qsort"):
        load_program("cbench-v1/qsort")
    with pytest.raises(UnknownProgram, match="got no file"):
        load_program("cbench-v1/qsort.bc")


def test_without_compiler_gym_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPT_COMPILER_GYM_PYTHON", "no-such-python")
    with pytest.raises(NoCompilerGym, match="Correct it, or unset it and run"):
        Session(PROGRAM, backend="compiler_gym")


def test_a_vector_of_environments_works_with_the_backend(script: Script) -> None:
    envs = gym.make_vec(
        "llmopt_bench/PassOrder-v0", num_envs=2, program=PROGRAM, backend="compiler_gym"
    )
    envs.reset(seed=0)
    inline = make_action_set("compiler-gym-v0").index("-always-inline")
    observations, rewards, terminated, _, info = envs.step(np.array([inline, 124]))
    np.testing.assert_array_equal(observations, [np.arange(56)] * 2)
    assert rewards.tolist() == [0.0, 0.0]
    assert terminated.tolist() == [False, True]
    assert list(info["pass_list"]) == ["-always-inline", ""]
    envs.close()
