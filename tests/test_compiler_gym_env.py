"""CompilerGym's environment on our compiler: ids, states, forks and files."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from compiler_gym_backends import LARGER, SMALL
from gymnasium.utils.env_checker import check_env

from llmopt_bench import CompilerGymEnv, CompilerGymState, Session
from llmopt_bench.compiler_gym_actions import FlagSpace
from llmopt_bench.errors import CompilerError, UnknownPass
from llmopt_bench.isolation import Isolation

IDS = {
    "llvm": (None, None),
    "llvm-ic": (None, "IrInstructionCountOz"),
    "llvm-codesize": (None, "ObjectTextSizeOz"),
    "llvm-autophase-ic": ("Autophase", "IrInstructionCountOz"),
    "llvm-autophase-codesize": ("Autophase", "ObjectTextSizeOz"),
    "llvm-ir-ic": ("Ir", "IrInstructionCountOz"),
    "llvm-ir-codesize": ("Ir", "ObjectTextSizeOz"),
}


def make(**options: Any) -> CompilerGymEnv:
    return CompilerGymEnv(**{"benchmark": LARGER} | options)


def do(env: CompilerGymEnv, *flags: str) -> Any:
    return env.step([env.action_space[flag] for flag in flags])


@pytest.mark.parametrize("name", IDS)
def test_ids(name: str) -> None:
    env = gym.make(f"llmopt_bench/CompilerGym-{name}-v0", benchmark=SMALL)
    assert isinstance(env, CompilerGymEnv)
    observation, reward = IDS[name]
    assert (env.observation_space_spec and env.observation_space_spec.id) == observation
    assert (env.reward_space and env.reward_space.name) == reward
    shown, info = env.reset(seed=1)
    assert (shown is None) == (observation is None)
    assert info["program"] == SMALL.as_uri()
    shown, earned, terminated, truncated, info = do(env, "-mem2reg")
    assert observation is None or env.observation_space.contains(shown)
    assert earned == (0.0 if reward is None else env.reward[reward])
    assert (terminated, truncated) == (False, False)
    assert env.episode_reward == (None if reward is None else earned)


@pytest.mark.parametrize("name", ["llvm-autophase-ic", "llvm-ir-codesize"])
def test_check_env(name: str) -> None:
    check_env(gym.make(f"llmopt_bench/CompilerGym-{name}-v0", benchmark=SMALL))


def test_several_environments_at_once() -> None:
    name = "llmopt_bench/CompilerGym-llvm-autophase-ic-v0"
    envs = gym.make_vec(name, num_envs=2, vectorization_mode="sync", benchmark=SMALL)
    first, _ = envs.reset(seed=1)
    flag = FlagSpace()["-mem2reg"]
    shown, rewards, terminated, truncated, _ = envs.step([flag, FlagSpace()["-reg2mem"]])
    assert first.shape == shown.shape == (2, 56)
    assert rewards[0] == pytest.approx(52 / 64)
    assert rewards[1] < 0
    assert not (terminated | truncated).any()
    assert envs.action_space.contains(envs.action_space.sample())
    envs.close()


def test_written_files_are_the_module(tmp_path: Path) -> None:
    env = make(render_mode="ansi")
    env.reset()
    do(env, "-mem2reg")
    for path in (env.write_ir(tmp_path / "out.ll"), env.write_bitcode(str(tmp_path / "out.bc"))):
        assert Session(path).instruction_count == 143
        assert Session(path).content_hash() == env.pass_order.session.content_hash()
    assert (tmp_path / "out.ll").read_text() == env.ir == env.observation["Ir"]
    assert env.ir_sha1 == env.observation["IrSha1"]
    assert Session(LARGER).ir() != env.render() == env.pass_order.session.ir()


def test_apply_brings_an_environment_to_a_state() -> None:
    env = make(reward_space="IrInstructionCountOz")
    env.reset()
    do(env, "-mem2reg", "-simplifycfg")
    other = CompilerGymEnv(SMALL, reward_space="IrInstructionCountOz")
    other.reset()
    do(other, "-reg2mem")
    other.apply(env.state)
    assert other.state == env.state
    assert other.ir == env.ir
    assert other.benchmark == env.benchmark
    assert other.validate(env.state).okay()
    small = CompilerGymState(SMALL.as_uri(), "-mem2reg", reward=52 / (113 - 49))
    assert other.validate(small).okay()
    assert not other.validate(replace(small, reward=0.8)).okay()
    with pytest.raises(UnknownPass, match="newgvn"):
        other.apply(CompilerGymState(SMALL.as_uri(), "-newgvn"))
    assert other.state == env.state
    poor = make(budget=1)
    with pytest.raises(CompilerError, match="expected 2 passes to run, got 1: the budget is spent"):
        poor.apply(env.state)


def test_forks_before_a_reset_and_after_it_keep_their_settings() -> None:
    env = make(
        observation_space="IrInstructionCount",
        reward_space="IrInstructionCount",
        budget=4,
        isolation=Isolation(deadline=7),
        render_mode="ansi",
    )
    fork = env.fork()
    assert (fork.isolation, fork.render_mode) == (Isolation(deadline=7), "ansi")
    with pytest.raises(gym.error.ResetNeeded):
        do(fork, "-mem2reg")
    assert fork.reset(seed=5)[0] == env.reset(seed=5)[0] == 258
    assert do(fork, *["-mem2reg"] * 5)[3] is True
    do(env, "-mem2reg")
    env.observation.add_derived_space(
        "Twice", "IrInstructionCount", lambda n: 2 * n, gym.spaces.Discrete(999)
    )
    fork = env.fork()
    fork.observation_space = "Twice"
    assert fork.state == env.state
    assert fork.np_random.random() == env.np_random.random()
    assert do(fork, "-simplifycfg")[:2] == (264, 11.0)
    assert do(env, "-simplifycfg")[:2] == (132, 11.0)
    assert 0 < fork.state.walltime <= env.episode_walltime
    do(env, "-gvn")
    assert (len(env.actions), len(fork.actions)) == (3, 2)


def test_deep_copies_are_forks_and_shallow_ones_are_refused() -> None:
    env = make()
    env.reset()
    twin = copy.deepcopy(env)
    do(twin, "-mem2reg")
    assert (twin.observation["IrInstructionCount"], env.observation["IrInstructionCount"]) == (
        143,
        258,
    )
    with pytest.raises(TypeError, match="fork"):
        copy.copy(env)


def test_what_the_environment_says_of_itself() -> None:
    env = make()
    assert env.compiler_version.startswith("22.")
    assert env.version.startswith("0.")
    assert "bundled-v1" in env.datasets
    assert env.datasets["bundled-v1"].name == "bundled-v1"
    assert (env.state.commandline, env.state.walltime) == ("opt input.bc -o output.bc", 0.0)
    env.reset()
    do(env, "-mem2reg")
    assert env.commandline() == "opt -passes='function(mem2reg)' input.bc -o output.bc"
    assert env.commandline_to_actions(env.commandline()) == env.actions
    assert env.render() is None
    assert env.pass_order.evaluate("simplifycfg", here=True) == 132
