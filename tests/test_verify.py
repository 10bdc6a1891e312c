"""Replay: records that lie are found, answers that break a program are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmopt_bench import ActionSet, PassList, Record, Session, Task, load_agent, load_program
from llmopt_bench.action_set import Action
from llmopt_bench.errors import InvalidModule
from llmopt_bench.runner_work import Item, Job, perform
from llmopt_bench.verify import replay, verify_records

PROGRAM = "bundled-v1/crc_family"
LIES: dict[str, Any] = {
    "new": 1,
    "initial": 1,
    "oz": 1,
    "module_sha256": "0" * 64,
    "program_sha256": "0" * 64,
    "action_set_sha256": "0" * 64,
}


@pytest.fixture(scope="module")
def record() -> Record:
    task = Task(name="tiny", metric="instruction_count", budget=0, programs=(PROGRAM,))
    job = Job(task, (load_agent("Oz"),), 0, seed=0)
    return perform(job, Item(0, PROGRAM, 0), job.facts(PROGRAM))


def failed(record: Record) -> Record:
    """Return the record as it would be if the run had failed."""
    nothing: dict[str, Any] = {"new": None, "module_sha256": None, "pass_list": ""}
    return replace(record, status="failed", error="gave up", **nothing)


def test_honest_records_hold(record: Record) -> None:
    assert verify_records([record, failed(record)]) == []


@pytest.mark.parametrize("field", LIES)
def test_each_lie_is_found(record: Record, field: str) -> None:
    (finding,) = verify_records([replace(record, curve=(), **{field: LIES[field]})])
    said, true = LIES[field], getattr(record, field)
    assert finding.problem == f"{field}: the record says {said}, the replay gives {true}"
    assert str(finding).startswith(f"Oz on {PROGRAM}, seed 0, repetition 0: ")


def test_another_pass_list_is_found(record: Record) -> None:
    fields = {f.problem.partition(":")[0] for f in verify_records([replace(record, pass_list="")])}
    assert fields == {"new", "module_sha256"}


def test_failed_record_with_false_facts_is_found(record: Record) -> None:
    (finding,) = verify_records([replace(failed(record), oz=1)])
    assert finding.problem.startswith("oz: ")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("program", "bundled-v1/gone", "unknown program"),
        ("pass_list", "internalize", "is excluded"),
        ("action_set", "passes-v0", "unknown action set"),
    ],
)
def test_what_cannot_be_replayed_is_found(
    record: Record, field: str, value: Any, message: str
) -> None:
    (finding,) = verify_records([replace(record, **{field: value})])
    assert message in finding.problem


def test_replay_keeps_what_other_modules_see() -> None:
    actions = ActionSet(
        "cheats-v1",
        22,
        (
            Action("internalize", "internalize", "module"),
            Action("globaldce", "globaldce", "module"),
        ),
    )
    with pytest.raises(InvalidModule, match="same external definitions"):
        replay(load_program(PROGRAM), PassList(["internalize", "globaldce"], actions))


def test_replay_of_the_empty_list_is_the_program() -> None:
    session = replay(load_program(PROGRAM), PassList([]))
    assert session.content_hash() == Session(PROGRAM).content_hash()


def test_progress_hears_of_every_record(record: Record) -> None:
    heard: list[Record] = []
    verify_records([record, failed(record)], heard.append)
    assert len(heard) == 2
