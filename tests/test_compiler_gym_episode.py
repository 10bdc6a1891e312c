"""Episodes of CompilerGym's environment on our compiler: spaces, steps, programs, failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faults
import gymnasium as gym
import numpy as np
import pytest
from compiler_gym_backends import LARGER, SMALL

from llmopt_bench import CompilerGymEnv, Program, Session, load_program
from llmopt_bench.errors import BadProgram, UnknownProgram
from llmopt_bench.isolation import Host, Isolation


def make(**options: Any) -> CompilerGymEnv:
    return CompilerGymEnv(**{"benchmark": LARGER} | options)


def do(env: CompilerGymEnv, *flags: str) -> Any:
    return env.step([env.action_space[flag] for flag in flags])


def test_reset_shows_the_default_observation() -> None:
    env = make()
    assert env.reset()[0] is None
    assert env.observation_space is None
    first, _ = env.reset(observation_space="Autophase", reward_space="IrInstructionCount")
    np.testing.assert_array_equal(first, Session(LARGER).features("autophase"))
    env.observation_space = "IrInstructionCount"
    assert do(env, "-mem2reg")[:2] == (143, 115.0)
    assert env.reset()[0] == 258
    assert env.reset(observation_space=None, reward_space=None)[0] is None
    assert do(env, "-mem2reg")[:2] == (None, 0.0)
    with pytest.raises(LookupError, match="Did you mean 'Autophase'"):
        env.observation_space = "autophase"
    with pytest.raises(LookupError):
        env.reward_space = "IrInstructionCountOs"


def test_several_spaces_at_once() -> None:
    env = make(observation_space="Ir", reward_space="IrInstructionCountOz")
    env.reset()
    shown, earned, *_, info = env.step(
        env.action_space["-mem2reg"],
        observation_spaces=["IrInstructionCount", "IrInstructionCountO0"],
        reward_spaces=["IrInstructionCount", "IrInstructionCountNorm"],
    )
    assert (shown, earned) == ([143, 258], [115.0, 115 / 258])
    assert info["action_had_no_effect"] is False
    assert env.episode_reward == pytest.approx(115 / (258 - 140))
    shown, earned, *_, info = env.step([], observation_spaces=[], reward_spaces=[])
    assert (shown, earned) == ([], [])
    assert (info["action_had_no_effect"], info["changed"]) == (True, False)
    assert info["new_action_space"] is False
    with pytest.raises(LookupError):
        env.step(0, reward_spaces=["IrInstructionCount", "unknown"])
    assert env.actions == [env.action_space["-mem2reg"]]


def test_episode_reward_is_the_sum_of_the_rewards() -> None:
    env = make(reward_space="ObjectTextSizeOz")
    assert env.episode_reward == 0.0
    env.reset()
    total = 0.0
    for flags in (["-mem2reg"], ["-reg2mem"], ["-sroa", "-gvn"], ["-gvn"]):
        total += do(env, *flags)[1]
        env.step([], reward_spaces=["IrInstructionCount"])
        assert env.episode_reward == pytest.approx(total)
    assert total != 0
    assert env.state.reward == env.episode_reward
    env.reset()
    assert env.episode_reward == 0.0


@pytest.mark.parametrize("wrong", [-1, 88, [0, 88], "-mem2reg", None, 1.5, [[0]], np.array([0.5])])
def test_actions_that_are_no_flags_are_refused(wrong: Any) -> None:
    env = make()
    env.reset()
    with pytest.raises(gym.error.InvalidAction, match="expected the number of a flag, 0 to 87"):
        env.step(wrong)
    assert env.actions == []
    assert env.observation["IrInstructionCount"] == 258


@pytest.mark.parametrize("form", [list, tuple, np.array, iter])
def test_all_forms_of_actions(form: Any) -> None:
    env = make()
    env.reset()
    numbers = [env.action_space["-mem2reg"], env.action_space["-simplifycfg"]]
    env.multistep(form(numbers))
    env.step(np.int64(numbers[1]))
    env.step(np.array(numbers[1]))
    assert env.actions == [*numbers, numbers[1], numbers[1]]
    assert env.observation["IrInstructionCount"] == 132


def test_a_budget_truncates() -> None:
    env = make(budget=2)
    env.reset()
    _, _, terminated, truncated, info = do(env, "-mem2reg", "-simplifycfg", "-gvn")
    assert (terminated, truncated) == (False, True)
    assert info["compilations"] == 2
    assert len(env.actions) == 2
    assert not env.in_episode
    with pytest.raises(gym.error.ResetNeeded):
        do(env, "-gvn")
    env.reset()
    assert env.in_episode
    spent = make(budget=0)
    spent.reset()
    assert do(spent, "-mem2reg")[3] is True
    assert (spent.actions, spent.observation["IrInstructionCount"]) == ([], 258)


def test_the_program_changes_with_the_next_reset() -> None:
    env = make()
    assert env.benchmark.uri == LARGER.as_uri()
    env.reset()
    with pytest.warns(UserWarning, match="next reset"):
        env.benchmark = SMALL
    assert env.benchmark.uri == LARGER.as_uri()
    assert env.fork().reset()[1]["program"] == SMALL.as_uri()
    assert env.reset()[1]["program"] == env.benchmark.uri == SMALL.as_uri()
    assert env.reset(options={"program": str(LARGER)})[1]["instruction_count"] == 258
    assert env.reset()[1]["instruction_count"] == 113
    assert env.reset(LARGER)[1]["instruction_count"] == 258
    assert env.reset()[1]["instruction_count"] == 258
    assert env.reset("benchmark://bundled-v1/crc_family")[1]["program"] == "bundled-v1/crc_family"
    with pytest.raises(ValueError, match="expected options like"):
        env.reset(options={"benchmark": SMALL})
    assert not env.in_episode


def test_bad_programs_leave_the_environment_usable(tmp_path: Path) -> None:
    env = make()
    env.reset()
    files = {"empty.bc": b"", "noise.bc": b"\x00" * 99, "bad.ll": b"define", "what.xyz": b"?"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises((BadProgram, UnknownProgram)):
            env.reset(tmp_path / name)
    for uri in ("gone.bc", "unknown-v1/qsort", "bundled-v1/crc_fam", "bundled-v1/"):
        with pytest.raises(UnknownProgram):
            env.benchmark = uri
        with pytest.raises(UnknownProgram):
            CompilerGymEnv(uri)
    broken = load_program(LARGER).bitcode[:999]
    with pytest.raises(BadProgram):
        env.reset(Program("broken", broken))
    assert not env.in_episode
    assert env.reset(SMALL)[1]["instruction_count"] == 113


def test_what_was_done_before_ctrl_c_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make()
    env.reset()
    step = env.pass_order.step
    interrupted = env.action_space.pass_list([env.action_space["-gvn"]])
    number = env.pass_order.action_set.index(interrupted[0])

    def stop(action: int) -> Any:
        if action == number:
            raise KeyboardInterrupt
        return step(action)

    monkeypatch.setattr(env.pass_order, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        do(env, "-mem2reg", "-gvn")
    assert env.actions == [env.action_space["-mem2reg"]]
    assert env.reward["IrInstructionCount"] == 115
    assert env.in_episode


def exploding() -> Program:
    """A program with one dead instruction, of which ``-always-inline`` makes 2**40."""
    text = Session(faults.doubling()).ir()
    text += "\ndefine void @dead() {\n %x = add i32 1, 2\n ret void\n}\n"
    return Program("exploding", Host().read(text.encode(), "exploding").bitcode())


def test_an_episode_that_fails_sums_to_zero() -> None:
    env = make(
        benchmark=exploding(),
        reward_space="IrInstructionCount",
        isolation=Isolation(memory_mib=150),
    )
    env.reset()
    total = do(env, "-dce")[1]
    assert total == 1
    fork = env.fork()
    _, reward, terminated, truncated, info = do(env, "-mem2reg", "-always-inline", "-gvn")
    assert (terminated, truncated) == (True, False)
    assert total + reward == 0 == env.episode_reward
    assert info["error_type"] == "CompilerOutOfMemory"
    assert "memory limit of 150 MiB while running 'always-inline'" in info["error_details"]
    assert env.actions == [env.action_space["-dce"], env.action_space["-mem2reg"]]
    with pytest.raises(gym.error.ResetNeeded):
        do(env, "-gvn")
    failed = env.fork()
    assert (failed.episode_reward, failed.in_episode) == (0, False)
    assert fork.episode_reward == 1
    assert do(fork, "-gvn")[1] == 0
    env.reset()
    assert do(env, "-dce", "-always-inline")[1] == 0
    env.reset()
    assert do(env, "-dce")[1] == 1
