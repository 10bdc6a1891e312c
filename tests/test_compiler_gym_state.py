"""States of CompilerGym: their files, their equality, and whether they hold."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from compiler_gym_backends import LARGER

from llmopt_bench import CompilerGymEnv, CompilerGymState, Program, load_program
from llmopt_bench.compiler_gym_rewards import find_reward
from llmopt_bench.compiler_gym_state import read_states, validate_state, write_states
from llmopt_bench.datasets import _DATASETS
from llmopt_bench.datasets.bundled import BundledPrograms
from llmopt_bench.errors import BadRecord, MissingTool
from llmopt_bench.execution import Expected, execute
from llmopt_bench.frontend import compile_source, find_compiler

PROGRAM = "bundled-v1/crc_family"
STATES = [
    CompilerGymState(PROGRAM, "opt -mem2reg -gvn input.bc -o output.bc", 1.5, 0.1 + 0.2),
    CompilerGymState('b,"c"', "", 0.0, None),
]
COUNT = find_reward("IrInstructionCount")
# Signed overflow is not defined by C, so what is printed is up to the passes.
WRAPS = """
#include <limits.h>
#include <stdio.h>
static int grows(int x) { return x + 1 > x; }
int main(void) {
  puts(grows(INT_MAX) ? "grows" : "wraps");
  return 0;
}
"""


def needs_clang() -> None:
    try:
        find_compiler()
    except MissingTool:
        pytest.skip("needs clang 22")


@pytest.fixture(scope="module")
def state() -> CompilerGymState:
    env = CompilerGymEnv(PROGRAM, reward_space=COUNT)
    env.reset()
    env.step([env.action_space[flag] for flag in ("-mem2reg", "-simplifycfg")])
    return env.state


def test_states_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "states.csv"
    write_states(file, STATES)
    again = read_states(file)
    assert again == STATES
    assert [(s.walltime, s.reward) for s in again] == [(s.walltime, s.reward) for s in STATES]
    lines = file.read_text().splitlines(keepends=True)
    assert lines[0] == "benchmark,reward,walltime,commandline\n"
    file.write_text("".join(lines[1:]))
    assert read_states(file) == STATES
    write_states(file, [])
    assert read_states(file) == []


def test_columns_in_any_order_and_lines_of_windows(tmp_path: Path) -> None:
    file = tmp_path / "states.csv"
    file.write_bytes(b"walltime,commandline,reward,benchmark\r\n,opt -gvn,0.5,b\r\n\r\n2,,,c\r\n")
    assert read_states(file) == [
        CompilerGymState("b", "opt -gvn", 0.0, 0.5),
        CompilerGymState("c", "", 2.0, None),
    ]
    assert read_states(file)[1].walltime == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"b,1,2\n", r"row 1: expected benchmark, reward, walltime, commandline, got \['b'"),
        (b"b,1,2,opt\nb,much,2,opt\n", "row 2"),
        (b"b,1,2,opt,more\n", "row 1"),
        (b"\xff", "expected a CSV file of states"),
        (b'"b', "expected a CSV file of states: unexpected end"),
    ],
)
def test_files_that_are_no_states(tmp_path: Path, text: bytes, message: str) -> None:
    file = tmp_path / "states.csv"
    file.write_bytes(text)
    with pytest.raises(BadRecord, match=message):
        read_states(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="No such file"):
        read_states(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRecord, match="not a plain file"):
        read_states(tmp_path / "pipe")


def test_states_are_equal_by_what_was_run() -> None:
    one = STATES[0]
    assert one == replace(one, walltime=99.0)
    assert one == replace(one, reward=None)
    assert one == replace(one, reward=0.3000001)
    assert hash(one) == hash(replace(one, reward=None))
    assert one != replace(one, reward=0.301)
    assert one != replace(one, benchmark="other")
    assert one != replace(one, commandline="opt input.bc -o output.bc")
    assert one != "text"


def test_rewards_are_validated(state: CompilerGymState) -> None:
    needs_clang()
    program = load_program(PROGRAM)
    good = validate_state(state, program, COUNT)
    assert (good.okay(), good.reward_validated, good.benchmark_semantics_validated) == (True,) * 3
    assert good.walltime > 0
    assert str(good) == f"{PROGRAM}: holds"
    bad = validate_state(replace(state, reward=state.reward + 1), program, COUNT)
    assert not bad.okay()
    assert bad.errors[0].startswith(f"expected the reward {state.reward + 1} of IrInstructionCount")
    for unknown in (replace(state, reward=None), state):
        reward = COUNT if unknown.reward is None else None
        result = validate_state(unknown, program, reward)
        assert (result.okay(), result.reward_validated) == (True, False)


@pytest.mark.parametrize(
    ("commandline", "message"),
    [
        ("opt -newgvn input.bc -o output.bc", "UnknownPass: the legacy flag '-newgvn'"),
        ("opt -passes=internalize input.bc", "UnknownPass: unknown pass 'internalize'"),
        ("-mem2reg", "expected the reward"),
    ],
)
def test_states_that_do_not_hold(state: CompilerGymState, commandline: str, message: str) -> None:
    result = validate_state(replace(state, commandline=commandline), load_program(PROGRAM), COUNT)
    assert not result.okay()
    assert message in result.errors[0]


def test_programs_of_the_user_are_not_run() -> None:
    state = CompilerGymState(LARGER.as_uri(), "opt -mem2reg input.bc", reward=115)
    result = validate_state(state, load_program(LARGER), COUNT)
    assert (result.okay(), result.reward_validated) == (True, True)
    assert result.benchmark_semantics_validated is False


class Undefined(BundledPrograms):
    """One program with undefined behaviour, and what it does without optimization."""

    name = "undefined-v0"

    def load(self, uri: str) -> Program:
        return Program(uri, compile_source(WRAPS, "c"))

    def expected(self, uri: str) -> Expected:
        return Expected.of(execute(self.load(uri).bitcode, uri))


def test_passes_that_break_a_program_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_clang()
    monkeypatch.setitem(_DATASETS, Undefined.name, Undefined)
    env = CompilerGymEnv("undefined-v0/wraps")
    env.reset()
    env.step(env.action_space["-mem2reg"])
    assert env.validate().okay()
    env.step(env.action_space["-instcombine"])
    (error,) = env.validate().errors
    assert error.startswith("expected output of SHA-256")
    assert env.validate().benchmark_semantics_validated
