"""What CompilerGym's own tests hold of observations, rewards and steps, for each compiler here.

The suite is thirty behaviours, whose numbers stand beside the tests. Forks are in
``test_conformance_compiler_gym_forks.py``; what does not depend on the compiler, or was tested
before, is where ``ELSEWHERE`` says.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from compiler_gym_backends import BACKENDS, LARGER, SMALL, Backend, Episode

from llmopt_bench._core import Module
from llmopt_bench.features import feature_names

TESTS = Path(__file__).parent
FILES = ("test_conformance_compiler_gym.py", "test_conformance_compiler_gym_forks.py")
ELSEWHERE = [
    (1, "test_compiler_gym_actions.py", "test_command_lines_round_trip"),
    (4, "test_conformance.py", "test_features_differ_from_llvm_10_exactly_as_its_reader_changed"),
    (4, "test_conformance.py", "test_corner_cases"),
    (6, "test_compiler_gym_observations.py", "test_every_value_is_in_its_space"),
    (7, "test_compiler_gym_episode.py", "test_reset_shows_the_default_observation"),
    (8, "test_compiler_gym_env.py", "test_written_files_are_the_module"),
    (9, "test_compiler_gym_observations.py", "test_ir_names_no_file"),
    (12, "test_compiler_gym_rewards.py", "test_what_is_known_of_each_reward"),
    (13, "test_compiler_gym_episode.py", "test_episode_reward_is_the_sum_of_the_rewards"),
    (16, "test_compiler_gym_observations.py", "test_what_is_absent_is_a_look_up_error"),
    (16, "test_compiler_gym_rewards.py", "test_all_of_compiler_gym_is_there_or_absent"),
    (22, "test_compiler_gym_env.py", "test_deep_copies_are_forks_and_shallow_ones_are_refused"),
    (23, "test_compiler_gym_state.py", "test_states_round_trip"),
    (23, "test_compiler_gym_state.py", "test_states_are_equal_by_what_was_run"),
    (24, "test_compiler_gym_env.py", "test_apply_brings_an_environment_to_a_state"),
    (24, "test_compiler_gym_state.py", "test_rewards_are_validated"),
    (25, "test_compiler_gym_state.py", "test_passes_that_break_a_program_are_found"),
    (26, "test_compiler_gym_episode.py", "test_an_episode_that_fails_sums_to_zero"),
    (26, "test_isolation.py", "test_a_worker_that_is_killed_is_replaced_without_a_trace"),
    (27, "test_compiler_gym_episode.py", "test_the_program_changes_with_the_next_reset"),
    (28, "test_compiler_gym_episode.py", "test_bad_programs_leave_the_environment_usable"),
    (28, "test_damaged_programs.py", "test_mutants"),
    (29, "test_compiler_gym_observations.py", "test_what_is_absent_is_a_look_up_error"),
    (30, "test_opt_equality.py", "test_random_pass_lists_step_by_step_equal_one_run_of_opt"),
    (30, "test_meaning.py", "test_random_lists"),
    (30, "test_llvm_stress.py", "test_programs_are_valid_and_can_be_compiled"),
]
"""Behaviours, or parts of them, that another file tests against our compiler."""
REWARD_OF = {
    "IrInstructionCount": ("IrInstructionCount", "IrInstructionCount"),
    "ObjectTextSizeBytes": ("ObjectTextSizeBytes", "ObjectTextSize"),
}
"""From a raw reward to the observation that it measures, and to the start of the others' names."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]()


@pytest.fixture
def episode(backend: Backend) -> Iterator[Episode]:
    opened = backend.open(SMALL)
    yield opened
    opened.close()


def test_all_thirty_are_somewhere() -> None:
    here = "".join((TESTS / name).read_text("utf-8") for name in FILES)
    marked = {int(number) for number in re.findall(r"#\s(\d+)$", here, flags=re.MULTILINE)}
    assert marked | {number for number, _, _ in ELSEWHERE} == set(range(1, 31))
    for _, file, name in ELSEWHERE:
        assert f"def {name}(" in (TESTS / file).read_text("utf-8"), name


def test_every_flag_steps_alone_from_a_reset(episode: Episode, backend: Backend) -> None:  # 2
    initial = episode.observe("IrInstructionCount")
    counts = {}
    for flag in backend.flags:
        episode.reset()
        episode.apply(flag)
        assert episode.flags() == [flag]
        counts[flag] = episode.observe("IrInstructionCount")
        assert episode.reward("IrInstructionCount") == initial - counts[flag]
    assert counts["-mem2reg"] < initial < counts["-reg2mem"]


def test_names_are_unique_and_complete(backend: Backend) -> None:  # 3
    assert len(set(backend.flags)) == len(backend.flags) >= 88
    sizes = [
        f"{name}{level}"
        for name in ("IrInstructionCount", "ObjectTextSize")
        for level in ("O0", "O3", "Oz")
    ]
    assert backend.observations >= {
        *("Ir", "IrSha1", "Bitcode", "Autophase", "AutophaseDict"),
        *("InstCount", "InstCountDict", "InstCountNorm", "InstCountNormDict"),
        *("IrInstructionCount", "ObjectTextSizeBytes", *sizes),
    }
    assert backend.rewards >= {
        *("IrInstructionCount", "IrInstructionCountNorm", "IrInstructionCountO3"),
        *("IrInstructionCountOz", "ObjectTextSizeBytes", "ObjectTextSizeNorm"),
        *("ObjectTextSizeO3", "ObjectTextSizeOz"),
    }


def test_the_forms_of_inst_count_agree(episode: Episode) -> None:  # 5
    vector = np.asarray(episode.observe("InstCount"))
    density = np.asarray(episode.observe("InstCountNorm"))
    assert vector[0] == vector[3:].sum() == episode.observe("IrInstructionCount") > 0
    assert density.shape == (69,)
    assert density.dtype == np.float32
    assert density[2:].sum() == pytest.approx(1)
    assert density[0] == pytest.approx(vector[1] / vector[0])
    names = [f"{name}Count" for name in feature_names("instcount")]
    assert episode.observe("InstCountDict") == dict(zip(names, vector, strict=True))
    names = [f"{name}Density" for name in feature_names("instcount")[1:]]
    assert episode.observe("InstCountNormDict") == dict(zip(names, density, strict=True))


def test_the_forms_of_autophase_agree(episode: Episode) -> None:  # 5
    vector = np.asarray(episode.observe("Autophase"))
    names = feature_names("autophase")
    assert episode.observe("AutophaseDict") == dict(zip(names, vector, strict=True))
    assert vector[names.index("TotalInsts")] == episode.observe("IrInstructionCount")


def test_bitcode_and_ir_are_the_module(episode: Episode) -> None:  # 8
    episode.apply("-mem2reg")
    count = episode.observe("IrInstructionCount")
    bitcode = np.asarray(episode.observe("Bitcode"), dtype=np.int8).tobytes()
    assert Module.read(bitcode, "bitcode").instruction_count() == count
    assert Module.read(episode.observe("Ir").encode(), "ir").instruction_count() == count


def test_the_hash_changes_with_the_code_alone(episode: Episode) -> None:  # 10
    before = episode.observe("IrSha1")
    episode.apply("-mem2reg")
    after = episode.observe("IrSha1")
    assert after != before
    episode.apply("-mem2reg")
    assert episode.observe("IrSha1") == after
    episode.reset()
    assert episode.observe("IrSha1") == before


@pytest.mark.parametrize("raw", REWARD_OF)
def test_reward_arithmetic(episode: Episode, raw: str) -> None:  # 11
    cost, start = REWARD_OF[raw]
    levels = {level: episode.observe(f"{start}{level}") for level in ("O0", "O3", "Oz")}
    before = episode.observe(cost)
    assert before == levels["O0"]
    for flags in (["-mem2reg"], ["-reg2mem", "-simplifycfg"]):
        episode.apply(*flags)
        saved = before - episode.observe(cost)
        assert saved != 0
        assert episode.reward(raw) == saved
        assert episode.reward(f"{start}Norm") == pytest.approx(saved / levels["O0"])
        for level in ("O3", "Oz"):
            scale = max(levels["O0"] - levels[level], 1)
            assert episode.reward(f"{start}{level}") == pytest.approx(saved / scale)
        before = episode.observe(cost)


def test_the_same_step_earns_the_same_after_a_reset(episode: Episode, backend: Backend) -> None:
    def earned() -> dict[str, float]:  # 14
        episode.apply("-mem2reg")
        return {name: episode.reward(name) for name in sorted(backend.rewards)}

    first = earned()
    assert first["IrInstructionCount"] > 0
    episode.reset()
    assert earned() == first


def test_several_flags_at_once_are_those_flags_in_order(backend: Backend) -> None:  # 15
    flags = ["-mem2reg", "-simplifycfg", "-gvn", "-mem2reg"]
    at_once, one_by_one = backend.open(LARGER), backend.open(LARGER)
    at_once.apply(*flags)
    saved = 0.0
    for flag in flags:
        one_by_one.apply(flag)
        saved += one_by_one.reward("IrInstructionCount")
    assert at_once.flags() == one_by_one.flags() == flags
    assert at_once.observe("Ir") == one_by_one.observe("Ir")
    assert at_once.reward("IrInstructionCount") == saved > 0
    at_once.close()
    one_by_one.close()


@pytest.mark.parametrize("seed", range(3))
def test_random_flags_give_the_same_code_again(backend: Backend, seed: int) -> None:  # 30
    rng = np.random.default_rng(seed)
    flags = [str(flag) for flag in rng.choice(backend.flags, 12)]
    episode = backend.open(LARGER)
    hashes = []
    for _ in range(2):
        episode.reset()
        for flag in flags:
            episode.apply(flag)
        hashes.append((episode.observe("IrSha1"), episode.reward("ObjectTextSizeBytes")))
    assert hashes[0] == hashes[1]
    episode.close()


@pytest.mark.parametrize("flag", ["-mem2reg", "-loop-unroll", "-gvn-hoist", "-slp-vectorizer"])
def test_one_flag_gives_the_same_code_each_time(backend: Backend, flag: str) -> None:  # 30
    episode = backend.open(LARGER)
    found = set()
    for _ in range(20):
        episode.reset()
        episode.apply("-mem2reg", flag)
        found.add(episode.observe("IrSha1"))
    assert len(found) == 1
    episode.close()


def test_programs_differ(backend: Backend) -> None:  # 30
    opened = [backend.open(program) for program in (SMALL, LARGER)]
    for one, other in itertools.pairwise(opened):
        assert one.observe("IrSha1") != other.observe("IrSha1")
        assert one.observe("IrInstructionCount") == 113
        assert other.observe("IrInstructionCount") == 258
    for episode in opened:
        episode.close()
