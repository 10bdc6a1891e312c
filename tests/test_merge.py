"""Merged runs: the records of all of them once, or an error that says which do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_records import made_record

from llmopt_bench import Record, read_records
from llmopt_bench.cli import main
from llmopt_bench.errors import BadRecord, BadStore
from llmopt_bench.merge import merge_runs
from llmopt_bench.run_store import STORE, RunStore


def run_of(folder: Path, records: Sequence[Record]) -> Path:
    """Write a run with these records."""
    folder.mkdir()
    text = "".join(record.to_json() + "\n" for record in records)
    (folder / "records.jsonl").write_text(text, "utf-8")
    return folder


def test_programs_agents_and_seeds_come_together_and_repeats_are_one(tmp_path: Path) -> None:
    same = made_record("p/1", "sroa")
    again = made_record("p/1", "sroa", wall_seconds=9.0, build={"cpu": "other"})
    others = [
        made_record("p/2", "sroa"),
        made_record("p/1", "gvn", agent="b"),
        made_record("p/1", "gvn", seed=1),
    ]
    one = run_of(tmp_path / "one", [same, others[0]])
    two = run_of(tmp_path / "two", [others[1], again, others[2]])
    assert merge_runs([one, two], tmp_path / "out") == 4
    assert list(read_records(tmp_path / "out")) == [same, *others]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pass_list": "gvn"}, "/one and a on .*/two are the same run.* differ in pass_list"),
        ({"new": 6, "passes_applied": 6}, "differ in new, passes_applied"),
        ({"task_sha256": "9" * 64, "seed": 1}, "task_sha256 is .* of the same task"),
        ({"budget": 8, "seed": 1}, "budget is 9 for a on p/1 in .*one, and 8 .*two"),
        ({"llvm_version": "23", "program": "p/2"}, "llvm_version is"),
        ({"agent_settings": {"n": 1}, "program": "p/2"}, "agent_settings is"),
    ],
)
def test_records_that_contradict_each_other_are_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    first = made_record("p/1", "sroa")
    second = made_record(changes.pop("program", "p/1"), changes.pop("pass_list", "sroa"), **changes)
    runs = [run_of(tmp_path / "one", [first]), run_of(tmp_path / "two", [second])]
    with pytest.raises(BadRecord, match=message):
        merge_runs(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_run_in_the_middle_of_a_second_phase_is_refused(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "one", [made_record("p/1", "sroa")])
    with RunStore(folder / STORE) as store:
        store.add_first(made_record("p/1", "sroa"))
        store.add_first(made_record("p/2", "sroa"))
    with pytest.raises(BadStore, match=r"no record yet for 1 runs .* a on p/2"):
        merge_runs([folder], tmp_path / "out")
    with RunStore(folder / STORE, resume=True) as store:
        assert len(store.keys) == 2


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    one = run_of(tmp_path / "one", [made_record("p/1", "sroa")])
    two = run_of(tmp_path / "two", [made_record("p/2", "sroa")])
    before = (two / "records.jsonl").read_bytes()
    with pytest.raises(BadRecord, match="is there already"):
        merge_runs([one], two)
    assert (two / "records.jsonl").read_bytes() == before


def test_no_records_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="found none"):
        merge_runs([run_of(tmp_path / "one", [])], tmp_path / "out")
    with pytest.raises(BadRecord, match="no such file"):
        merge_runs([tmp_path / "nowhere"], tmp_path / "out")


def test_command_says_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = run_of(tmp_path / "one", [made_record("p/1", "sroa")])
    two = run_of(tmp_path / "two", [made_record("p/2", "sroa")])
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(one), str(two), "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"2 records in {tmp_path / 'out'}\n"
