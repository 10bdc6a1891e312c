"""One program and one pass list: one count and one content hash, however the list is run."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from llmopt_bench import load_program
from llmopt_bench.passes import PassList
from llmopt_bench.program import Program

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from determinism import (
    MOST_PIPELINES,
    PIPELINES,
    Row,
    corpus,
    draw,
    draw_list,
    read_rows,
    rows,
    run_to_file,
    summary,
)
from processes import ALL_WAYS, Bench, Helper, differing
from reduce import shrink
from ways import Outcome

SEED = 7
PROGRAM = "bundled-v1/ring_buffer"
needs_opt = pytest.mark.skipif(shutil.which("opt-22") is None, reason="needs opt-22")
needs_csmith = pytest.mark.skipif(shutil.which("csmith") is None, reason="needs csmith")


def unequal(found: list[Row]) -> list[Row]:
    return [row for row in found if row.verdict not in ("same", "opt fails")]


@needs_opt
def test_all_ways_give_the_same_code() -> None:
    found = list(rows(corpus(bundled=20, functions=80), range(60), SEED))
    assert len(found) == 60
    assert all(set(row.outcomes) == set(ALL_WAYS) for row in found)
    assert not unequal(found), summary(found)
    assert sum(row.verdict == "same" for row in found) > 58, summary(found)


@needs_opt
@needs_csmith
@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_all_ways_give_the_same_code_on_many_programs() -> None:
    found = list(rows(corpus(bundled=77, functions=150, csmith=30), range(1000), SEED + 1))
    assert not unequal(found), summary(found)
    assert sum(row.verdict == "same" for row in found) >= 980, summary(found)


def test_a_list_that_differs_in_anything_is_found() -> None:
    same = Outcome(10, "aa")
    for other in (Outcome(11, "aa"), Outcome(10, "bb"), Outcome(11), Outcome(error="died")):
        assert differing({"opt": same, "joined": same, "undo": other}) == ("undo",)
        assert differing({"opt": other, "undo": same}) == ("undo",)
    assert differing({"opt": same, "joined": same, "evaluate": Outcome(10)}) == ()


def test_a_difference_goes_through_the_file_into_the_summary(tmp_path: Path) -> None:
    outcomes = {"opt": Outcome(10, "aa"), "joined": Outcome(10, "bb")}
    row = Row(3, PROGRAM, ("gvn", "dce"), outcomes)
    ended = {"opt": Outcome(error="opt: status -6"), "joined": Outcome(error="process ended: -6")}
    other = Row(4, PROGRAM, ("gvn",), ended)
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{row.to_json()}\n{other.to_json()}\n" + row.to_json()[:20])
    assert read_rows(file) == [row, other]
    assert [found.verdict for found in read_rows(file)] == ["differs", "untyped"]
    assert f"3: differs [joined] {PROGRAM} gvn,dce" in summary([row, other])


@needs_opt
def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    stopped, whole = tmp_path / "stopped.jsonl", tmp_path / "whole.jsonl"
    programs = [load_program(PROGRAM)]
    expected = run_to_file(whole, programs, lists=4, seed=SEED)
    text = whole.read_text()
    first, second = text.splitlines(keepends=True)[:2]
    stopped.write_text(first + second[:30])
    assert run_to_file(stopped, programs, lists=4, seed=SEED, jobs=2) == expected
    assert stopped.read_text() == text


@needs_opt
def test_what_opt_and_the_library_both_refuse_is_told_and_no_difference() -> None:
    broken = Program("broken", load_program(PROGRAM).bitcode[:200])
    with Bench() as bench:
        row = Row(0, PROGRAM, ("dce",), bench.run(broken, ("dce",)))
    assert row.verdict == "opt fails"
    assert row.outcomes["opt"].error.startswith("opt: status 1: ")
    assert row.outcomes["undo"].error.startswith("BadProgram: ")


def test_a_helper_that_is_ended_is_told_and_replaced(tmp_path: Path) -> None:
    # Its first process aborts, the next one answers.
    script = tmp_path / "helper.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "sys.stdin.readline()\n"
        "first = pathlib.Path(__file__).with_name('first')\n"
        "if not first.exists():\n"
        "    first.touch()\n"
        "    os.abort()\n"
        "print(json.dumps({'count': int(os.environ['PYTHONHASHSEED'])}))\n"
    )
    helper = Helper({"PYTHONHASHSEED": "3"}, script)
    assert helper.ask("joined", script, ["gvn"]) == Outcome(error="process ended: status -6")
    assert helper.ask("joined", script, ["gvn"]) == Outcome(3)
    helper.close()


def test_a_list_is_drawn_from_its_number_alone() -> None:
    programs = [f"p{number}" for number in range(5)]
    drawn = [draw(SEED, index, programs) for index in range(200)]
    assert drawn[150] == draw(SEED, 150, programs)
    assert {program for program, _ in drawn} == set(programs)
    lengths = [len(names) for _, names in drawn]
    assert min(lengths) < 6
    assert 16 < max(lengths) <= 20
    assert 9 < sum(lengths) / 200 < 13


def test_drawn_lists_have_few_whole_pipelines() -> None:
    def pipelines(names: PassList) -> int:
        actions = [names.action_set.actions[names.action_set.index(name)] for name in names]
        return sum(one.composite or one.name.startswith(PIPELINES) for one in actions)

    numbers = [pipelines(PassList(draw_list(random.Random(seed)))) for seed in range(300)]
    assert max(numbers) == MOST_PIPELINES
    assert 0.8 < sum(numbers) / 300 < 1.2


def test_shrinking_leaves_what_is_needed() -> None:
    needed = {"b", "f", "g"}
    assert shrink("abcdefgh", lambda names: needed <= set(names)) == ("b", "f", "g")
    assert shrink("a", lambda names: True) == ("a",)
