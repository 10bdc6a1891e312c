"""Whether generated code is right: it takes its place in a program, which runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from llmopt_bench import IrScorer, Program, Session, ir_running, load_program
from llmopt_bench._core import Module
from llmopt_bench.datasets import expected_of
from llmopt_bench.errors import MissingTool
from llmopt_bench.execution import Expected, execute, require_native
from llmopt_bench.frontend import compile_source
from llmopt_bench.ir_running import Frame, frame_of, is_right

try:
    require_native()
except MissingTool as missing:
    pytest.skip(str(missing), allow_module_level=True)

FUNCTION = "bundled-functions-v1/crc_family/adler32"
PROGRAM = "bundled-v1/mandel_ascii"
MADE = """
#include <stdio.h>
static int calls;
static const char letters[] = "abc";
static _Bool is_odd(unsigned char c) { ++calls; return c & 1; }
static int never(void) { return puts("never"); }
int count(unsigned char from) {
  int odd = 0;
  for (int i = 0; i < 600; ++i) odd += is_odd(from + i);
  return odd + letters[calls % 3];
}
int main(int argc, char **argv) {
  printf("%d %d\\n", count(200), calls);
  return argc > 100 ? never() : 0;
}
"""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """A program of ours in place of each bundled one."""
    whole = Program("bundled-v1/made", compile_source(MADE, "c"))
    expected = Expected.of(execute(whole.bitcode, "made"))
    monkeypatch.setattr(ir_running, "load_program", lambda uri: whole)
    monkeypatch.setattr(
        ir_running, "expected_of", lambda program: expected if program is whole else None
    )
    frame_of.cache_clear()
    yield whole
    frame_of.cache_clear()


def function_of(whole: Program, name: str) -> Program:
    module = Module.read(whole.bitcode, "made")
    return Program(f"bundled-functions-v1/made/{name}", module.extract(name).bitcode())


def optimised(program: Program | str, passes: str = "Oz") -> str:
    session = Session(program)
    session.apply(passes)
    return session.ir(normalized=True)


def framed(program: Program) -> Frame:
    frame = frame_of(program)
    assert frame is not None
    return frame


def test_a_function_that_calls_local_ones_and_counts_in_a_local_variable(made: Program) -> None:
    program = function_of(made, "count")
    best = optimised(program)
    assert is_right(framed(program), best, best) is True
    assert best.count("600") == 1
    assert is_right(framed(program), best.replace("600", "601"), best) is False


def test_a_local_function_with_small_integers(made: Program) -> None:
    program = function_of(made, "is_odd")
    best = optimised(program)
    assert is_right(framed(program), best, best) is True
    wrong = re.sub("ret i1 .*", "ret i1 true", best)
    assert wrong != best
    assert is_right(framed(program), wrong, best) is False


def test_callers_extend_what_a_function_without_attributes_returns(made: Program) -> None:
    program = function_of(made, "is_odd")
    best = optimised(program)
    # Leaves other bits in the register than the lowest one.
    shorter = re.sub(
        r"%4 = and .*\n%5 = icmp .*\nret i1 %5", "%4 = trunc i8 %0 to i1\nret i1 %4", best
    )
    assert shorter != best
    assert is_right(framed(program), shorter, best) is True


def test_nothing_is_said_of_a_function_that_the_program_does_not_reach(made: Program) -> None:
    assert frame_of(function_of(made, "never")) is None


def test_nothing_is_said_where_the_original_already_fails(
    made: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = function_of(made, "count")
    other = Expected("0" * 64, 0)
    monkeypatch.setattr(ir_running, "expected_of", lambda program: other)
    assert frame_of(program) is None


def test_a_function_that_is_gone_or_renamed_is_wrong() -> None:
    frame, best = framed(load_program(FUNCTION)), optimised(FUNCTION)
    assert is_right(frame, best.replace("@adler32", "@adler33"), best) is False


@pytest.mark.parametrize(
    "line",
    [
        "declare i32 @system(ptr)",
        "declare void @unlink(ptr)",
        "@stdin = external global ptr",
        "@stdin = extern_weak global ptr",
        'module asm "nop"',
    ],
)
def test_code_from_outside_the_program_is_not_run(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, best = framed(load_program(FUNCTION)), optimised(FUNCTION)
    monkeypatch.setattr(ir_running, "run_program", None)  # whoever calls it fails
    assert is_right(frame, f"{line}\n{best}", best) is None


def test_what_the_compiler_calls_an_answer_may_call() -> None:
    frame, best = framed(load_program(FUNCTION)), optimised(FUNCTION)
    more = f"declare i32 @abs(i32)\ndeclare void @llvm.trap()\n{best}"
    assert is_right(frame, more, best) is None
    assert is_right(frame, more, more) is True


def test_a_whole_program() -> None:
    program = load_program(PROGRAM)
    best = optimised(PROGRAM)
    frame = framed(program)
    assert frame.expected == expected_of(program)
    assert is_right(frame, best, best) is True
    wrong = re.sub(r"(@main\(.*?)ret i32 .*?\n", r"\1ret i32 77\n", best, flags=re.DOTALL)
    assert is_right(frame, wrong, best) is False


@pytest.mark.parametrize("uri", ["csmith", "file"])
def test_what_cannot_be_run(uri: str) -> None:
    program = Program(f"{uri}://x", load_program(FUNCTION).bitcode)
    assert frame_of(program) is None


def test_the_scorer_runs_only_when_told_to() -> None:
    program, best = load_program(FUNCTION), optimised(FUNCTION)
    assert IrScorer().score(best, best, program).right is None
    scorer = IrScorer(run_programs=True)
    assert scorer.score(best, best).right is None
    assert scorer.score(best, best, program).right is True
    assert scorer.score("no IR", best, program).right is False
    assert scorer.score("no IR", best, Program("file://x", program.bitcode)).right is None
