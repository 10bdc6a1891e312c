"""CompilerGym's observations: their spaces, what they are computed of, and what is absent."""

from __future__ import annotations

import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from compiler_gym_backends import SMALL
from gymnasium import spaces

from llmopt_bench import CompilerGymEnv, Session
from llmopt_bench.compiler_gym_observations import BitcodeBytes, Scalar, standard_observations

ABSENT = (
    *("BitcodeFile", "Programl", "ProgramlJson", "LexedIr", "LexedIrTuple", "CpuInfo"),
    *("Inst2vec", "Inst2vecPreprocessedText", "Inst2vecEmbeddingIndices"),
    *("TextSizeBytes", "TextSizeO0", "TextSizeO3", "TextSizeOz"),
    *("IsBuildable", "IsRunnable", "Buildtime", "Runtime"),
)


@pytest.fixture(scope="module")
def env() -> CompilerGymEnv:
    made = CompilerGymEnv(SMALL)
    made.reset()
    return made


def test_all_of_compiler_gym_is_there_or_absent_for_a_reason() -> None:
    assert len(standard_observations()) + len(ABSENT) == 34
    page = (Path(__file__).parent.parent / "docs" / "migrate.md").read_text("utf-8")
    assert [name for name in ABSENT if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_is_a_look_up_error(env: CompilerGymEnv, name: str) -> None:
    with pytest.raises(LookupError, match=f"unknown observation space '{name}'"):
        env.observation[name]


@pytest.mark.parametrize("name", standard_observations())
def test_every_value_is_in_its_space(env: CompilerGymEnv, name: str) -> None:
    spec = env.observation.spaces[name]
    value = env.observation[name]
    assert spec.id == str(spec) == name
    assert spec.space.contains(value)
    assert spec.space.contains(spec.space.sample())
    assert not spec.space.contains(np.array(-1.5))
    assert spec.deterministic is True
    assert spec.platform_dependent is name.startswith("ObjectText")
    np.testing.assert_equal(getattr(env.observation, name)(), value)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("Autophase", (56,), np.int64),
        ("InstCount", (70,), np.int64),
        ("InstCountNorm", (69,), np.float32),
        ("IrInstructionCount", (), np.int64),
    ],
)
def test_shapes(env: CompilerGymEnv, name: str, shape: tuple[int, ...], dtype: type) -> None:
    space = env.observation.spaces[name].space
    assert (space.shape, space.dtype) == (shape, dtype)
    assert np.shape(env.observation[name]) == shape


def test_sizes_are_those_of_the_session(env: CompilerGymEnv) -> None:
    session = Session(SMALL)
    fork = env.fork()
    for name, metric in (
        ("IrInstructionCount", "instruction_count"),
        ("ObjectTextSize", "text_size"),
    ):
        for level in ("O0", "O3", "Oz"):
            assert env.observation[f"{name}{level}"] == session.reference(level, metric)
    fork.step(fork.action_space["-mem2reg"])
    session.apply("mem2reg")
    assert fork.observation["IrInstructionCount"] == session.instruction_count < 113
    assert fork.observation["ObjectTextSizeBytes"] == session.text_size
    assert fork.observation["IrInstructionCountO0"] == 113


def test_ir_names_no_file(env: CompilerGymEnv, tmp_path: Path) -> None:
    copy = tmp_path / "private_name.bc"
    copy.write_bytes(SMALL.read_bytes())
    other = CompilerGymEnv(copy)
    other.reset()
    text = other.observation["Ir"]
    assert text.startswith("; ModuleID = '-'\nsource_filename = \"-\"\ntarget ")
    assert "private_name" not in text
    assert text == env.observation["Ir"]
    assert other.observation["IrSha1"] == env.observation["IrSha1"]
    assert re.fullmatch("[0-9a-f]{40}", other.observation["IrSha1"])


def test_numbers_are_in_their_space_whatever_type_they_have() -> None:
    assert all(Scalar().contains(value) for value in (0, 7, np.int64(7), np.array(7)))
    refused = (-1, 0.5, "7", None, np.array([7]), [7])
    assert not any(Scalar().contains(value) for value in refused)
    assert all(Scalar(np.float32).contains(value) for value in (np.float32(0.5), np.float32(2)))
    assert not BitcodeBytes().contains(b"BC")
    assert not BitcodeBytes().contains(np.zeros(3, np.uint8))
    assert BitcodeBytes().is_np_flattenable is False


def test_an_observation_can_be_made_of_another(env: CompilerGymEnv) -> None:
    fork = env.fork()
    fork.observation.add_derived_space(
        "Loads", "InstCountDict", lambda counts: int(counts["LoadCount"]), Scalar()
    )
    before = fork.observation["Loads"]
    assert before == env.observation["InstCountDict"]["LoadCount"] > 0
    fork.step(fork.action_space["-mem2reg"])
    assert fork.observation["Loads"] < before
    assert fork.fork().observation.Loads() == fork.observation["Loads"]
    with pytest.raises(LookupError):
        env.observation["Loads"]
    with pytest.raises(LookupError):
        fork.observation.add_derived_space("Stores", "Inst", len, Scalar())
    with pytest.raises(gym.error.Error, match="already"):
        fork.observation.add_derived_space("Loads", "Ir", len, Scalar())


def test_an_episode_comes_first() -> None:
    env = CompilerGymEnv(SMALL, observation_space="Autophase")
    assert env.observation_space == spaces.Box(0, 2**53, (56,), np.int64)
    with pytest.raises(gym.error.ResetNeeded):
        env.observation["Ir"]
    with pytest.raises(AttributeError, match="no attribute 'Irr'"):
        env.observation.Irr()
