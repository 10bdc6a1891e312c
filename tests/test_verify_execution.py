"""Verification runs programs: an answer that changes what a program does is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import PassList, Program, Record, Task, load_agent, load_program, verify
from llmopt_bench.cli import main
from llmopt_bench.datasets import _DATASETS
from llmopt_bench.datasets.bundled import BundledPrograms
from llmopt_bench.errors import BadProgram, MissingTool
from llmopt_bench.execution import Execution, Expected, execute
from llmopt_bench.frontend import compile_source, find_compiler
from llmopt_bench.record import RecordWriter
from llmopt_bench.runner_work import Item, Job, perform
from llmopt_bench.verify import replay, verify_records

try:
    find_compiler()
except MissingTool:
    pytest.skip("needs clang 22", allow_module_level=True)

PROGRAM = "bundled-v1/crc_family"
FUNCTION = "bundled-functions-v1/crc_family/adler32"
# Neither program is defined by C: what a compiler makes of it is up to the compiler.
WRAPS = """
#include <limits.h>
#include <stdio.h>
static int grows(int x) { return x + 1 > x; }
int main(void) {
  puts(grows(INT_MAX) ? "grows" : "wraps");
  return 0;
}
"""
SHIFTS_TOO_FAR = """
#include <stdio.h>
int main(void) {
  int places = 40;
  if (1 << places) puts("something"); else puts("nothing");
  return 0;
}
"""


class Undefined(BundledPrograms):
    """Programs with undefined behaviour, and what they do without optimization."""

    name = "undefined-v0"
    SOURCES = {"wraps": WRAPS, "shifts": SHIFTS_TOO_FAR}  # noqa: RUF012

    def load(self, uri: str) -> Program:
        return Program(uri, compile_source(self.SOURCES[self._name_in(uri)], "c"))

    def expected(self, uri: str) -> Expected:
        return Expected.of(execute(self.load(uri).bitcode, uri))


@pytest.fixture
def undefined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_DATASETS, Undefined.name, Undefined)


def record_of(program: str, agent: str = "Oz") -> Record:
    task = Task(name="tiny", metric="instruction_count", budget=0, programs=(program,))
    job = Job(task, (load_agent(agent),), 0, seed=0)
    return perform(job, Item(0, program, 0), job.facts(program))


@pytest.fixture(scope="module")
def record() -> Record:
    return record_of(PROGRAM)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the programs that verification runs."""
    names: list[str] = []

    def spy(bitcode: bytes, name: str) -> Execution:
        names.append(name)
        return execute(bitcode, name)

    monkeypatch.setattr(verify, "execute", spy)
    return names


def test_the_result_is_run_and_holds(record: Record, executed: list[str]) -> None:
    assert verify_records([record]) == []
    assert executed == [PROGRAM]


def test_what_is_run_is_the_result_of_the_replay(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[bytes] = []
    monkeypatch.setattr(
        verify, "execute", lambda code, name: ran.append(code) or execute(code, name)
    )
    verify_records([record])
    assert ran == [replay(load_program(PROGRAM), PassList.parse(record.pass_list)).bitcode()]
    assert ran != [load_program(PROGRAM).bitcode]


def test_equal_results_are_run_once(record: Record, executed: list[str]) -> None:
    again = replace(record, agent="other")
    assert verify_records([record, again, record_of(PROGRAM, "O0"), record]) == []
    assert executed == [PROGRAM, PROGRAM]


def test_failed_records_and_functions_are_not_run(record: Record, executed: list[str]) -> None:
    nothing: dict[str, Any] = {"new": None, "module_sha256": None, "pass_list": ""}
    failed = replace(record, status="failed", error="gave up", **nothing)
    assert verify_records([failed, record_of(FUNCTION)]) == []
    assert executed == []


def test_running_can_be_left_out(record: Record, executed: list[str]) -> None:
    assert verify_records([record], run_programs=False) == []
    assert executed == []


@pytest.mark.parametrize("name", Undefined.SOURCES)
def test_another_meaning_is_found_though_the_replay_agrees(undefined: None, name: str) -> None:
    honest, broken = record_of(f"undefined-v0/{name}", "O0"), record_of(f"undefined-v0/{name}")
    assert verify_records([honest, broken], run_programs=False) == []
    (finding,) = verify_records([honest, broken])
    assert finding.record == broken
    assert "does not do what it should: expected" in finding.problem


def test_main_is_gone_where_a_program_shifts_too_far(undefined: None) -> None:
    """The program of the test above is a gain of 100 % to anybody who does not run it."""
    session = replay(load_program("undefined-v0/shifts"), PassList(["Oz"]))
    assert session.instruction_count == 1
    assert "unreachable" in session.ir()


def test_every_result_with_the_same_fault_is_found(undefined: None) -> None:
    broken = record_of("undefined-v0/wraps")
    assert len(verify_records([broken, replace(broken, agent="other")])) == 2


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (Execution(b"", -11, False), "expected exit code 0, got SIGSEGV"),
        (Execution(b"", -9, True), "got no end within the time limit"),
        (BadProgram("it does not link"), "it does not link"),
    ],
)
def test_each_way_to_misbehave(
    record: Record, monkeypatch: pytest.MonkeyPatch, outcome: Any, problem: str
) -> None:
    def misbehave(bitcode: bytes, name: str) -> Execution:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(verify, "execute", misbehave)
    (finding,) = verify_records([record])
    assert problem in finding.problem


class TestWithoutCompiler:
    @pytest.fixture(autouse=True)
    def no_compiler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing() -> None:
            raise MissingTool("there is no clang.")

        monkeypatch.setattr(verify, "require_native", missing)

    def test_it_says_so_once_and_does_not_fail(self, record: Record, executed: list[str]) -> None:
        said: list[str] = []
        assert verify_records([record, record_of(PROGRAM, "O0")], warn=said.append) == []
        assert said == ["the programs were not run, only replayed: there is no clang."]
        assert executed == []

    def test_the_library_warns(self, record: Record) -> None:
        with pytest.warns(UserWarning, match="were not run, only replayed"):
            assert verify_records([record]) == []

    def test_nothing_is_said_where_there_is_nothing_to_run(self) -> None:
        assert verify_records([record_of(FUNCTION)]) == []

    def test_lies_are_still_found(self, record: Record) -> None:
        findings = verify_records([replace(record, new=1)], warn=lambda reason: None)
        assert [finding.problem.partition(":")[0] for finding in findings] == ["new"]


class TestCommand:
    @pytest.fixture
    def broken(self, undefined: None, tmp_path: Path) -> Path:
        """Write a record of which only an execution can tell that it does not hold."""
        path = tmp_path / "records.jsonl"
        with RecordWriter(path) as writer:
            writer.write(record_of("undefined-v0/wraps"))
        return path

    def test_it_runs_programs(self, broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status("verify", broken) == 1
        out, err = capsys.readouterr()
        assert "does not do what it should" in out
        assert out.endswith("0 of 1 records hold\n")
        assert err == ""

    def test_unless_told_not_to(self, broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert status("verify", "--no-execute", broken) == 0
        assert capsys.readouterr() == ("1 of 1 records hold\n", "")

    def test_without_a_compiler_it_says_that_it_did_not(
        self, broken: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def missing(program: Program) -> None:
            raise MissingTool("there is no clang.")

        monkeypatch.setattr(verify, "expected_of", missing)
        assert status("verify", broken) == 0
        out, err = capsys.readouterr()
        assert out == "1 of 1 records hold\n"
        assert err == "warning: the programs were not run, only replayed: there is no clang.\n"


def status(*arguments: str | Path) -> Any:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code
