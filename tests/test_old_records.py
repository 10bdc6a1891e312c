"""What was recorded stays: old schemas are read and scored, and a new rule needs no new runs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_entries import made_entry

from llmopt_bench import Record, Task, read_records, score
from llmopt_bench.board import make_board
from llmopt_bench.errors import BadRecord
from llmopt_bench.record import RecordKey
from llmopt_bench.record_fields import SCHEMA
from llmopt_bench.run_store import RunStore
from llmopt_bench.score import rows_of, score_table

GOLDEN = Path(__file__).parent / "golden"


def golden(schema: int) -> list[Record]:
    return list(read_records(GOLDEN / f"records_v{schema}.jsonl"))


def test_every_schema_has_a_golden_file() -> None:
    files = sorted(path.name for path in GOLDEN.glob("records_v*.jsonl"))
    assert files == [f"records_v{schema}.jsonl" for schema in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_every_schema_gives_the_same_scores(schema: int) -> None:
    (row,) = rows_of(golden(schema))
    assert (row.agent, row.agent_version, row.budget) == ("chat", "0.3", 1000)
    assert (row.runs, row.failures, row.improved, row.instructions_saved) == (2, 1, 1, 6)
    assert row.overall_improvement == pytest.approx(187 / 181 - 1)
    assert row.mean_over_oz == pytest.approx(6 / 187)


def test_records_of_all_schemas_stand_in_one_table() -> None:
    renamed = [replace(r, agent=f"chat-{n}") for n in (1, 2) for r in golden(n)]
    first, second = score_table(renamed)
    assert first.overall_improvement == second.overall_improvement
    assert (first.agent, second.agent) == ("chat-1", "chat-2")


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_another_formula_needs_no_other_records(
    schema: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = GOLDEN / f"records_v{schema}.jsonl"
    content, records = path.read_bytes(), golden(schema)
    (before,) = rows_of(records)
    monkeypatch.setattr(score, "overall_improvement", lambda oz, new: sum(oz) - sum(new))
    (after,) = rows_of(golden(schema))
    assert after == replace(
        before,
        overall_improvement=6,
        with_backup=before.with_backup and replace(before.with_backup, overall_improvement=6),
    )
    assert after != before
    assert golden(schema) == records
    assert "".join(f"{record.to_json()}\n" for record in records).encode() == content


def test_another_formula_ranks_old_entries_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(name="t", metric="instruction_count", budget=9, programs=("a", "b"))
    entries = [
        made_entry("even", {"a": 900, "b": 900}, task, schema=1),
        made_entry("odd", {"a": 990, "b": 790}, task, schema=2),
    ]
    old = make_board(task, entries)
    monkeypatch.setattr(score, "overall_improvement", lambda oz, new: -max(new))
    new = make_board(task, entries)
    assert [s.card.agent for s in old.tracks[0].standings] == ["odd", "even"]
    assert [s.card.agent for s in new.tracks[0].standings] == ["even", "odd"]
    assert new.entries == old.entries


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"task": "programs-v2"}, "programs-v2"),
        ({"task_sha256": "f" * 64}, "programs-v1 ffffffffffff"),
        ({"action_set_sha256": "f" * 64}, "actions ffffffffffff"),
    ],
)
def test_versions_of_a_task_never_mix_and_the_error_says_which(
    change: dict[str, str], named: str
) -> None:
    first, *_ = golden(1)
    other = replace(golden(2)[0], agent="other", **change)
    with pytest.raises(BadRecord, match=named) as raised:
        score_table([first, other])
    assert f"programs-v1 {first.task_sha256[:12]}" in str(raised.value)


def test_a_store_from_before_keys_had_a_budget_is_resumed(tmp_path: Path) -> None:
    record, path = golden(2)[0], tmp_path / "store.sqlite"
    with RunStore(path) as store:
        store.add_first(record)
    old_key = json.dumps([v for n, v in record.key._asdict().items() if n != "budget"])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE first SET key = ?", (old_key,))
    with RunStore(path, resume=True) as store:
        assert store.keys == {record.key}
        (key,) = store.keys
        assert isinstance(key, RecordKey)
        assert list(store.firsts()) == [record]
