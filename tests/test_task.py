"""Tasks and their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmopt_bench.errors import BadTask, UnknownName
from llmopt_bench.passes import action_set_names
from llmopt_bench.task import Task, make_task, task_names

GOOD = """
name = "mine-v1"
metric = "text_size"
budget = 20
programs = ["bundled-v1/a", "file:///tmp/b.bc"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "dataset", "metric"),
    [
        ("programs-v1", "bundled-v1", "instruction_count"),
        ("functions-v1", "bundled-functions-v1", "instruction_count"),
        ("programs-size-v1", "bundled-v1", "text_size"),
        ("corpus-functions-v1", "corpus-functions-v1", "instruction_count"),
        ("corpus-functions-mini-v1", "corpus-functions-mini-v1", "instruction_count"),
        ("corpus-modules-v1", "corpus-modules-v1", "instruction_count"),
    ],
)
def test_shipped_task(name: str, dataset: str, metric: str) -> None:
    task = make_task(name)
    assert (task.name, task.dataset, task.metric) == (name, dataset, metric)
    assert (task.budget, task.repetitions, task.programs) == (1000, 1, ())
    assert task.action_set in action_set_names()
    assert task.description
    assert name in task_names()


def test_shipped_hashes_are_pinned() -> None:
    # Records carry these: if one changes, the task needs a new name, not a new hash here.
    assert {name: make_task(name).sha256[:16] for name in task_names()} == {
        "corpus-functions-mini-v1": "6f4e35b4f499235b",
        "corpus-functions-v1": "d278cc634f608cfc",
        "corpus-modules-v1": "f679527f35340e78",
        "functions-v1": "c2b88c4c134a15a8",
        "programs-size-v1": "189f8233405ce9d2",
        "programs-v1": "26fed966f74124a9",
    }


def test_reads_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    task = make_task(path)
    assert task.programs == ("bundled-v1/a", "file:///tmp/b.bc")
    assert (task.dataset, task.action_set, task.repetitions) == (None, "passes-v1", 1)
    assert make_task(str(path)) == task


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "budgte = 3", "unknown key 'budgte'. Did you mean 'budget'"),
        (GOOD.replace("budget = 20", ""), "budget: this key is missing"),
        (GOOD.replace("20", "-1"), "budget: expected an integer of 0"),
        (GOOD.replace("20", "true"), "budget: expected an integer"),
        (GOOD.replace("20", '"20"'), "budget: expected an integer"),
        (GOOD + "repetitions = 0", "repetitions: expected an integer of 1"),
        (GOOD.replace("text_size", "speed"), "metric: unknown metric 'speed'"),
        (GOOD.replace('"text_size"', "3"), "metric: expected a string"),
        (GOOD.replace("mine-v1", "../mine"), "name: expected letters"),
        (GOOD + "description = 3", "description: expected a string"),
        (GOOD + 'dataset = "bundled-v1"', "exactly one"),
        (GOOD.replace("programs =", "# programs ="), "exactly one"),
        (GOOD.replace("programs = [", 'programs = "x" # ['), "programs: expected a list"),
        (GOOD.replace('"bundled-v1/a"', "1"), "programs: expected a list"),
        (GOOD.replace("file:///tmp/b.bc", "bundled-v1/a"), "once, got one twice"),
        (GOOD.replace("programs =", "dataset = 3 #"), "dataset: expected the name"),
        ("name = =", "line 1"),
    ],
)
def test_bad_file_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadTask, match=message) as caught:
        make_task(path)
    assert str(caught.value).startswith(str(path))


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(BadTask, match=r"none\.toml"):
        make_task(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadTask, match=r"binary\.toml"):
        make_task(tmp_path / "binary.toml")


def test_unknown_name_suggests() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'programs-v1'"):
        make_task("program-v1")


def test_hash_follows_everything_but_the_description() -> None:
    task = Task(name="t-v1", metric="text_size", budget=1, dataset="d-v1")
    assert replace(task, description="New words.").sha256 == task.sha256
    changed = [
        replace(task, name="t-v2"),
        replace(task, metric="instruction_count"),
        replace(task, budget=2),
        replace(task, dataset="d-v2"),
        replace(task, dataset=None, programs=("a",)),
        replace(task, action_set="passes-v2"),
        replace(task, repetitions=2),
    ]
    assert len({task.sha256, *(other.sha256 for other in changed)}) == 1 + len(changed)


def test_programs_keep_their_order_in_the_hash() -> None:
    task = Task(name="t-v1", metric="text_size", budget=1, programs=("a", "b"))
    assert replace(task, programs=("b", "a")).sha256 != task.sha256
    assert replace(task, programs=["a", "b"]) == task  # type: ignore[arg-type]
