"""Records, their files, and what a killed writer leaves behind."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench.errors import BadRecord
from llmopt_bench.record import Record, RecordKey, RecordWriter, read_records
from llmopt_bench.record_fields import MAX_AMOUNT, MAX_SIZE, SCHEMA

GOLDEN = Path(__file__).parent / "golden"


def make(**changes: Any) -> Record:
    """Return a good record with some fields changed."""
    facts: dict[str, Any] = {
        "task": "programs-v1",
        "task_sha256": "1" * 64,
        "program": "bundled-v1/a",
        "program_sha256": "2" * 64,
        "agent": "greedy",
        "agent_version": "1.0",
        "agent_settings": {"patience": 3, "tag": None, "rate": 0.5, "deep": True, "mode": "x"},
        "seed": 0,
        "repetition": 0,
        "action_set": "passes-v1",
        "action_set_sha256": "3" * 64,
        "metric": "instruction_count",
        "budget": 1000,
        "pass_list": "function(gvn),globaldce",
        "status": "ok",
        "initial": 100,
        "oz": 50,
        "new": 45,
        "module_sha256": "4" * 64,
        "additional_compilations": 12,
        "passes_applied": 30,
        "curve": [[0, 100], [1, 50], [12, 45]],
        "wall_seconds": 1.5,
        "llvm_version": "22.1.0",
        "package_version": "0.1.0",
        "usage": {"tokens_in": 10, "cost": 0.25},
        "trained_on": ["other-v1"],
        "build": {"cpu": "x86-64"},
    }
    return Record(**(facts | changes))


FAILED = {"status": "failed", "error": "time-out", "new": None, "module_sha256": None}


class TestRecord:
    def test_round_trips_through_one_line(self) -> None:
        for record in (make(), make(**FAILED), make(program="file:///a\nb\u2028ü.bc")):
            line = record.to_json()
            assert "\n" not in line
            assert line.isascii()
            assert Record.from_json(line) == record

    @given(
        program=st.text(min_size=1),
        seed=st.integers(min_value=0),
        new=st.integers(min_value=0, max_value=MAX_SIZE),
        wall=st.floats(min_value=0, max_value=MAX_AMOUNT),
        settings_=st.dictionaries(
            st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False,
            allow_infinity=False) | st.text(), max_size=3,
        ),
    )  # fmt: skip
    @settings(max_examples=100, deadline=None)
    def test_any_good_values_round_trip(
        self, program: str, seed: int, new: int, wall: float, settings_: dict[str, Any]
    ) -> None:
        record = make(
            program=program, seed=seed, new=new, wall_seconds=wall, agent_settings=settings_
        )
        assert Record.from_json(record.to_json()) == record

    def test_key(self) -> None:
        key = make(seed=3, repetition=1).key
        assert key == RecordKey("programs-v1", "greedy", "1.0", "bundled-v1/a", 1000, 3, 1)
        assert make(wall_seconds=9.0, new=1).key == make().key
        assert make(budget=51).key != make().key

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schema": 3}, "schema: expected an integer from 1 to 2"),
            ({"schema": 1}, "curve: expected none in schema 1"),
            ({"curve": None}, "curve: expected at most 4096 pairs"),
            ({"curve": [[0, 100], [1]]}, "curve: expected at most"),
            ({"curve": [[0, 100], [1, 2.5]]}, "curve: expected at most"),
            ({"curve": [[0, 100], [1, -1]]}, "curve: expected at most"),
            ({"curve": [[0, 100], [1, 50], [1, 40]]}, "curve: expected at most"),
            ({"curve": [[0, 100], [1, 50], [2, 50]]}, "curve: expected at most"),
            ({"curve": [[i, 5000 - i] for i in range(4097)]}, "curve: expected at most"),
            ({"curve": [[0, 99]]}, r"curve: expected it to go from \[0, 100\]"),
            ({"curve": [[1, 100]]}, r"curve: expected it to go from \[0, 100\]"),
            ({"curve": [[0, 100], [13, 45]]}, "to at most 12 compilations"),
            ({"schema": True}, "schema"),
            ({"task": ""}, "task: expected a string that is not empty"),
            ({"task_sha256": "1" * 63}, "task_sha256: expected 64"),
            ({"program_sha256": "A" * 64}, "program_sha256"),
            ({"agent_version": 1}, "agent_version"),
            ({"agent_settings": {"a": [1]}}, "agent_settings: expected an object of JSON scalars"),
            ({"agent_settings": {1: 1}}, "agent_settings"),
            ({"agent_settings": {"a": float("nan")}}, "agent_settings"),
            ({"agent_settings": None}, "agent_settings"),
            ({"seed": -1}, "seed: expected an integer of 0 or more"),
            ({"seed": 1.0}, "seed"),
            ({"seed": True}, "seed"),
            ({"repetition": "0"}, "repetition"),
            ({"metric": "speed"}, "metric: expected one of instruction_count"),
            ({"metric": ["text_size"]}, "metric"),
            ({"pass_list": None}, "pass_list"),
            ({"status": "fine"}, "status: expected one of ok, failed"),
            ({"oz": -1}, "oz"),
            ({"oz": None}, "oz"),
            ({"oz": MAX_SIZE + 1}, "oz: expected an integer from 0 to 1099511627776"),
            ({"wall_seconds": MAX_AMOUNT * 2}, "wall_seconds"),
            ({"initial": 1.5}, "initial"),
            ({"new": -1}, "new"),
            ({"module_sha256": "short"}, "module_sha256"),
            ({"additional_compilations": 1001}, "at most the budget of 1000, got 1001"),
            ({"additional_compilations": -1}, "additional_compilations"),
            ({"passes_applied": None}, "passes_applied"),
            ({"wall_seconds": float("inf")}, "wall_seconds"),
            ({"wall_seconds": -0.5}, "wall_seconds"),
            ({"usage": {"tokens": "3"}}, "usage"),
            ({"usage": {"tokens": -3}}, "usage"),
            ({"trained_on": "cbench"}, "trained_on: expected a list"),
            ({"trained_on": [1]}, "trained_on"),
            ({"build": {"a": 1}}, "build"),
            ({"new": None}, "'ok' needs new"),
            ({"module_sha256": None}, "'ok' needs new and module_sha256"),
            ({"error": "odd"}, "'ok' needs new .* no error"),
            ({**FAILED, "new": 45}, "'failed' needs an error"),
            ({**FAILED, "module_sha256": "4" * 64}, "'failed' needs an error"),
            ({**FAILED, "error": None}, "'failed' needs an error"),
            ({**FAILED, "error": ""}, "'failed' needs an error"),
        ],
    )
    def test_wrong_values_are_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(BadRecord, match=message):
            make(**change)

    def test_budget_may_be_spent_to_the_last(self) -> None:
        assert make(additional_compilations=1000).additional_compilations == 1000
        assert make(budget=0, additional_compilations=0, curve=[[0, 100]]).budget == 0

    def test_a_key_of_a_later_schema_is_refused_in_an_earlier_one(self) -> None:
        content = json.loads(make().to_json()) | {"schema": 1}
        with pytest.raises(BadRecord, match="unknown key 'curve'"):
            Record.from_json(json.dumps(content))

    @pytest.mark.parametrize("key", [*json.loads(make().to_json())])
    def test_every_key_is_needed(self, key: str) -> None:
        content = json.loads(make().to_json())
        del content[key]
        with pytest.raises(BadRecord, match=f"{key}: missing"):
            Record.from_json(json.dumps(content))

    def test_unknown_key_is_refused(self) -> None:
        content = json.loads(make().to_json()) | {"sead": 1}
        with pytest.raises(BadRecord, match=r"unknown key 'sead'\. Did you mean 'seed'"):
            Record.from_json(json.dumps(content))

    @pytest.mark.parametrize(
        "line",
        [
            "", "{", "[]", "null", "3", '{"seed": 1, "seed": 2}', "[" * 100_000,
            '{"a": ' * 100_000, "9" * 10_000, make().to_json().replace("1.5", "NaN"),
            make().to_json().replace("1.5", "1e999"), make().to_json() + "{}",
        ],
        ids=lambda line: line[:12],
    )  # fmt: skip
    def test_lines_that_are_no_record(self, line: str) -> None:
        with pytest.raises(BadRecord):
            Record.from_json(line)


class TestReading:
    def write(self, path: Path, *records: Record) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(record.to_json() + "\n" for record in records).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    @pytest.mark.parametrize(
        ("schema", "curve"), [(1, ()), (2, ((0, 412), (1, 187), (3, 181)))], ids=["v1", "v2"]
    )
    def test_golden_records_stay_readable(self, schema: int, curve: object) -> None:
        # These lines are never rewritten: whoever changes the record adds a reader for them.
        assert SCHEMA == 2
        golden = GOLDEN / f"records_v{schema}.jsonl"
        done, failed = read_records(golden)
        assert (done.schema, done.curve, failed.curve) == (schema, curve, ())
        assert (done.initial, done.oz, done.new) == (412, 187, 181)
        assert done.pass_list == "function(sroa<modify-cfg>),cgscc(inline),default<Oz>"
        assert done.usage == {"tokens_in": 1312, "tokens_out": 41, "cost": 0.0021}
        assert done.trained_on == ("csmith-v0",)
        assert (failed.status, failed.new, failed.error) == ("failed", None, "no answer in time")
        lines = golden.read_text("utf-8").splitlines()
        assert [done.to_json(), failed.to_json()] == lines

    @pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
    def test_reads_files(self, tmp_path: Path, name: str) -> None:
        records = [make(seed=0), make(seed=1)]
        assert list(read_records(self.write(tmp_path / name, *records))) == records

    def test_reads_a_folder_and_below_in_order(self, tmp_path: Path) -> None:
        self.write(tmp_path / "b" / "x.jsonl.gz", make(seed=1))
        self.write(tmp_path / "a" / "y.jsonl", make(seed=0))
        (tmp_path / "a" / "card.toml").write_text("not records")
        assert [record.seed for record in read_records(tmp_path)] == [0, 1]

    def test_is_lazy(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.jsonl", make())
        path.write_text(path.read_text() + "broken\n")
        reader = read_records(path)
        assert next(reader) == make()
        with pytest.raises(BadRecord, match=r"a\.jsonl:2: "):
            next(reader)

    def test_same_run_twice_names_both_places(self, tmp_path: Path) -> None:
        self.write(tmp_path / "a.jsonl", make(seed=5), make())
        self.write(tmp_path / "b.jsonl", make(new=44))
        with pytest.raises(BadRecord, match=r"b\.jsonl:1: same run as .*a\.jsonl:2"):
            list(read_records(tmp_path))

    def test_cut_last_line(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.jsonl", make(seed=0), make(seed=1))
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(BadRecord, match=r"a\.jsonl:2"):
            list(read_records(path))
        assert list(read_records(path, tolerate_tail=True)) == [make(seed=0)]

    def test_tolerance_ends_at_the_tail(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text("{broken}\n" + make().to_json() + "\n")
        with pytest.raises(BadRecord, match=r"a\.jsonl:1"):
            list(read_records(path, tolerate_tail=True))
        path.write_text(make().to_json() + "\n{broken}\n")
        with pytest.raises(BadRecord, match=r"a\.jsonl:2"):
            list(read_records(path, tolerate_tail=True))

    def test_missing_final_line_end_is_fine(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(make().to_json())
        assert list(read_records(path)) == [make()]

    @pytest.mark.parametrize("cut", [5, 30, -3])
    def test_cut_gzip_is_refused(self, tmp_path: Path, cut: int) -> None:
        path = self.write(tmp_path / "a.jsonl.gz", *(make(seed=s) for s in range(50)))
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(BadRecord, match=r"a\.jsonl\.gz:"):
            list(read_records(path, tolerate_tail=True))

    def test_cut_last_line_in_gzip_is_refused(self, tmp_path: Path) -> None:
        # No writer of ours leaves this behind, so somebody has changed the file.
        path = tmp_path / "a.jsonl.gz"
        path.write_bytes(gzip.compress(make().to_json()[:-5].encode()))
        with pytest.raises(BadRecord, match=r"a\.jsonl\.gz:1"):
            list(read_records(path, tolerate_tail=True))

    def test_damaged_gzip_and_text_are_refused(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.jsonl.gz", *(make(seed=s) for s in range(50)))
        data = bytearray(path.read_bytes())
        data[200:210] = b"\xff" * 10
        path.write_bytes(data)
        with pytest.raises(BadRecord, match=r"a\.jsonl\.gz:"):
            list(read_records(path))
        (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\n")
        with pytest.raises(BadRecord, match=r"b\.jsonl:1"):
            list(read_records(tmp_path / "b.jsonl"))

    def test_wrong_paths(self, tmp_path: Path) -> None:
        with pytest.raises(BadRecord, match="no such file"):
            read_records(tmp_path / "none.jsonl")
        with pytest.raises(BadRecord, match="found none"):
            read_records(tmp_path)
        with pytest.raises(BadRecord, match="ending in"):
            read_records(tmp_path / "records.csv")


class TestWriter:
    def test_every_record_is_in_the_file_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "a.jsonl"
        with RecordWriter(path) as writer:
            writer.write(make(seed=0))
            assert list(read_records(path)) == [make(seed=0)]
            writer.write(make(seed=1))
            assert writer.keys == {make(seed=0).key, make(seed=1).key}
        assert [record.seed for record in read_records(path)] == [0, 1]

    def test_refuses_a_run_that_is_there(self, tmp_path: Path) -> None:
        with RecordWriter(tmp_path / "a.jsonl") as writer:
            writer.write(make())
            with pytest.raises(BadRecord, match="already"):
                writer.write(replace(make(), new=44))
        assert list(read_records(tmp_path / "a.jsonl")) == [make()]

    def test_does_not_overwrite_without_resume(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(make().to_json() + "\n")
        with pytest.raises(BadRecord, match="Resume"):
            RecordWriter(path)
        assert list(read_records(path)) == [make()]

    @pytest.mark.parametrize("kept", [0, 1, 100, -1])
    def test_resume_after_a_kill_at_any_byte(self, tmp_path: Path, kept: int) -> None:
        path = tmp_path / "a.jsonl"
        first, second = (make(seed=s).to_json().encode() for s in (0, 1))
        path.write_bytes(first + b"\n" + (second[:kept] if kept >= 0 else second))
        whole = {make(seed=0).key} | ({make(seed=1).key} if kept < 0 else set())
        with RecordWriter(path, resume=True) as writer:
            assert writer.keys == whole
            writer.write(make(seed=2))
        seeds = [record.seed for record in read_records(path)]
        assert seeds == ([0, 2] if kept >= 0 else [0, 1, 2])

    def test_resume_does_not_repair_what_it_cannot_explain(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        content = "broken\n" + make().to_json() + "\n"
        path.write_text(content)
        with pytest.raises(BadRecord, match=r"a\.jsonl:1"):
            RecordWriter(path, resume=True)
        assert path.read_text() == content

    def test_resume_starts_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with RecordWriter(tmp_path / "a.jsonl", resume=True) as writer:
            assert writer.keys == frozenset()

    def test_wants_plain_jsonl(self, tmp_path: Path) -> None:
        with pytest.raises(BadRecord, match=r"ending in \.jsonl"):
            RecordWriter(tmp_path / "a.jsonl.gz")
