"""The store of a run: damaged and foreign files are refused and left as they are."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from made_records import made_record as first

from llmopt_bench.errors import BadStore
from llmopt_bench.run_store import Phase, RunStore

PHASE = Phase("a", "1", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "store.sqlite"


def test_what_was_added_is_there_again(path: Path) -> None:
    records = [first("p/1", "sroa"), first("p/2", "gvn")]
    with RunStore(path) as store:
        for record in records:
            store.add_first(record)
    with RunStore(path, resume=True) as store:
        assert list(store.firsts()) == records
        assert store.keys == {record.key for record in records}


def test_lists_are_frozen_when_they_are_asked_for(path: Path) -> None:
    answers = {"p/1": "sroa", "p/2": "gvn", "p/3": "sroa", "p/4": "", "p/5": "adce"}
    programs = list(answers)
    with RunStore(path) as store:
        for program, answer in answers.items():
            store.add_first(first(program, answer))
        store.add_first(first("p/other", "licm"))
        store.add_first(first("p/1", "dse", repetition=1))
        store.add_first(first("p/1", "dce", agent_version="2"))
        assert store.lists(PHASE, programs) == ("sroa", "adce", "gvn")
        store.add_first(first("p/6", "adce"))
        assert store.lists(PHASE, programs) == ("sroa", "adce", "gvn")
        store.check_programs(PHASE, programs)
        with pytest.raises(BadStore, match="began with 5 programs"):
            store.check_programs(PHASE, programs[:4])
        with pytest.raises(BadStore, match="and this run has 5, or others"):
            store.lists(PHASE, [*programs[:4], "p/6"])


def test_store_of_a_run_is_not_overwritten(path: Path) -> None:
    with RunStore(path) as store:
        store.add_first(first("p/1", "sroa"))
    with pytest.raises(BadStore, match="Resume it, or choose another folder"):
        RunStore(path)
    with RunStore(path, resume=True) as store:
        assert len(store.keys) == 1


def test_two_runs_do_not_share_a_store(path: Path) -> None:
    with RunStore(path) as store:
        store.add_first(first("p/1", "sroa"))
        with pytest.raises(BadStore, match="no other run uses it"):
            RunStore(path, resume=True)


def test_foreign_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(BadStore, match="got another SQLite file"):
        RunStore(path, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_file_that_is_no_database_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BadStore, match="damaged"):
        RunStore(path, resume=True)
    assert path.read_bytes() == content


def test_damage_inside_is_found_before_work_begins(path: Path) -> None:
    with RunStore(path) as store:
        for number in range(200):
            store.add_first(first(f"p/{number}", "sroa"))
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 9] = b"\x55" * 4096 * 4
    path.write_bytes(content)
    with pytest.raises(BadStore, match="damaged"):
        RunStore(path, resume=True)
    assert path.read_bytes() == bytes(content)


def test_line_that_is_no_record_is_damage(path: Path) -> None:
    with RunStore(path) as store:
        store.add_first(first("p/1", "sroa"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE first SET record = ?", (json.dumps({"agent": "a"}),))
    connection.commit()
    connection.close()
    with RunStore(path, resume=True) as store, pytest.raises(BadStore, match="damaged"):
        list(store.firsts())


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadStore, match="cannot make the store"):
        RunStore(tmp_path / "file" / "store.sqlite")
