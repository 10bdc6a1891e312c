"""The rows of tables against published ones and by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from llmopt_bench.errors import BadRecord
from llmopt_bench.record import Record
from llmopt_bench.score import Row, program_totals, rows_of, score_table

OZ_TOTAL = 645_773


def record(program: str, oz: int, new: int | None, **changes: Any) -> Record:
    """Return a record of the agent ``x`` on a program, failed if ``new`` is None."""
    outcome: dict[str, Any] = {"status": "ok", "module_sha256": "4" * 64}
    if new is None:
        outcome = {"status": "failed", "error": "no answer", "module_sha256": None}
    facts: dict[str, Any] = {
        "task": "t-v1",
        "task_sha256": "1" * 64,
        "program": program,
        "program_sha256": "2" * 64,
        "agent": "x",
        "agent_version": "1",
        "seed": 0,
        "repetition": 0,
        "action_set": "passes-v1",
        "action_set_sha256": "3" * 64,
        "metric": "instruction_count",
        "budget": 10**9,
        "pass_list": "globaldce",
        "initial": 2 * oz,
        "oz": oz,
        "new": new,
        "additional_compilations": 0,
        "passes_applied": 0,
        "wall_seconds": 0.5,
        "llvm_version": "22.1.0",
        "package_version": "0.1.0",
    }
    return Record(**(facts | outcome | changes))


def only_row(records: Sequence[Record], expected: Sequence[str] | None = None) -> Row:
    (row,) = rows_of(records, expected)
    return row


class TestPublishedTable:
    """Tables III and IV of arXiv 2309.07062: 100,000 functions, 645,773 instructions under -Oz."""

    @pytest.mark.parametrize(
        ("saved", "regressed", "alone", "with_backup"),
        [
            (30_948, 0, "5.03", None),
            (6_522, 32_357, "-3.85", "1.02"),
            (16_064, 28_405, "-1.88", "2.55"),
            (21_935, 3_095, "3.01", "3.52"),
        ],
        ids=["autotuner", "AutoPhase", "Coreset-NVP", "LLM"],
    )
    def test_overall_improvement(
        self, saved: int, regressed: int, alone: str, with_backup: str | None
    ) -> None:
        better, worse, same = 200_000, 200_000, OZ_TOTAL - 400_000
        row = only_row(
            [
                record("better", better, better - saved),
                record("worse", worse, worse + regressed),
                record("same", same, same),
            ]
        )
        assert (row.instructions_saved, row.instructions_regressed) == (saved, regressed)
        assert row.overall_improvement is not None
        assert f"{100 * row.overall_improvement:.2f}" == alone
        assert row.with_backup is not None
        assert row.with_backup.overall_improvement is not None
        if with_backup is not None:
            assert f"{100 * row.with_backup.overall_improvement:.2f}" == with_backup
        assert row.with_backup.instructions_saved == saved
        assert row.with_backup.instructions_regressed == 0

    def test_backup_is_charged_where_the_answer_is_not_oz(self) -> None:
        # The paper's model answers -Oz for 94.3 % of the functions, so its backup costs 5.7 %.
        records = [record(f"p{n}", 10, 10, pass_list="Oz") for n in range(943)]
        records += [record(f"q{n}", 10, 9) for n in range(57)]
        row = only_row(records)
        assert row.additional_compilations == 0
        assert row.with_backup is not None
        assert row.with_backup.additional_compilations == 57


class TestRows:
    def test_counts(self) -> None:
        row = only_row(
            [
                record("a", 10, 7, additional_compilations=5, passes_applied=9),
                record("b", 10, 12, additional_compilations=2, passes_applied=4),
                record("c", 10, 10),
                record("d", 10, None, additional_compilations=1),
            ]
        )
        assert (row.programs, row.runs, row.failures, row.missing) == (4, 4, 1, 0)
        assert (row.improved, row.regressed) == (1, 1)
        assert (row.instructions_saved, row.instructions_regressed) == (3, 2)
        assert (row.additional_compilations, row.passes_applied) == (8, 13)
        assert row.seconds == 2.0
        assert row.overall_improvement == pytest.approx(30 / 29 - 1)
        assert row.mean_over_oz == pytest.approx((0.3 - 0.2) / 3)

    def test_backup_keeps_the_smaller_and_never_loses(self) -> None:
        row = only_row([record("a", 10, 7), record("b", 10, 12), record("c", 10, None)])
        backup = row.with_backup
        assert backup is not None
        assert (backup.improved, backup.regressed, backup.failures) == (1, 0, 1)
        assert backup.overall_improvement == pytest.approx(20 / 17 - 1)
        assert backup.additional_compilations == 2
        assert backup.with_backup is None

    def test_nothing_succeeded(self) -> None:
        row = only_row([record("a", 10, None)])
        assert row.failures == 1
        assert not row.complete
        for name in ("overall_improvement", "mean_over_oz", "geomean_over_oz", "scaled_reduction"):
            assert getattr(row, name) is None
        assert row.interval is None

    def test_missing_programs_make_a_row_incomplete(self) -> None:
        records = [record("a", 10, 7), record("b", 10, 8)]
        assert only_row(records, ["a", "b"]).complete
        row = only_row(records, ["a", "b", "c"])
        assert (row.missing, row.complete) == (1, False)
        assert row.overall_improvement == pytest.approx(20 / 15 - 1)

    def test_failures_make_a_row_incomplete(self) -> None:
        row = only_row([record("a", 10, 7), record("b", 10, None)], ["a", "b"])
        assert (row.missing, row.complete) == (0, False)

    def test_programs_of_one_agent_are_expected_of_all(self) -> None:
        x, y = rows_of([record("a", 9, 8), record("b", 9, 8), record("a", 9, 8, agent="y")])
        assert x.complete
        assert (y.missing, y.complete) == (1, False)

    def test_every_program_is_expected_in_every_repetition(self) -> None:
        records = [record("a", 10, 9), record("a", 10, 8, repetition=1), record("b", 10, 9)]
        row = only_row(records)
        assert (row.programs, row.runs, row.missing) == (2, 3, 1)
        assert row.instructions_saved == 4
        assert only_row([*records, record("b", 10, 9, repetition=1)]).complete

    def test_interval_does_not_depend_on_order_or_repetition(self) -> None:
        records = [record(f"p{n}", 10 + n, 8 + (n * 5) % 7) for n in range(12)]
        row = only_row(records)
        assert row.interval is not None
        assert row.overall_improvement is not None
        assert row.interval[0] < row.overall_improvement < row.interval[1]
        assert only_row(records[::-1]).interval == row.interval
        twice = [*records, *(replace(entry, repetition=1) for entry in records)]
        assert only_row(twice).interval == pytest.approx(row.interval)

    def test_unexpected_program_is_refused(self) -> None:
        with pytest.raises(BadRecord, match="not among the expected programs: easy"):
            rows_of([record("a", 10, 9), record("easy", 10, 1)], ["a"])

    @pytest.mark.parametrize(
        "change",
        [
            {"task": "other-v1"},
            {"task_sha256": "9" * 64},
            {"metric": "text_size"},
            {"action_set_sha256": "9" * 64},
        ],
    )
    def test_records_of_two_tasks_do_not_mix(self, change: dict[str, str]) -> None:
        with pytest.raises(BadRecord, match="one task"):
            rows_of([record("a", 10, 9), record("b", 10, 9, **change)])

    @pytest.mark.parametrize("change", [{"program_sha256": "9" * 64}, {"initial": 1}, {"oz": 11}])
    def test_agents_must_have_seen_the_same_program(self, change: dict[str, Any]) -> None:
        other = replace(record("a", 10, 9, agent="y"), **change)
        with pytest.raises(BadRecord, match="a: expected"):
            rows_of([record("a", 10, 9), other])

    def test_one_run_twice_is_refused(self) -> None:
        with pytest.raises(BadRecord, match="once"):
            rows_of([record("a", 10, 9), record("a", 10, 8)])

    def test_no_records_no_rows(self) -> None:
        assert rows_of([]) == []

    def test_budgets_of_an_agent_are_rows_of_their_own(self) -> None:
        records = [record("a", 10, 9, budget=100), record("a", 10, 9, budget=5)]
        rows = rows_of([*records, record("b", 10, 8, budget=5)])
        assert [(row.budget, row.runs, row.missing) for row in rows] == [(5, 2, 0), (100, 1, 1)]
        assert rows[0].with_backup is not None
        assert rows[0].with_backup.budget == rows[0].to_json()["budget"] == 5

    def test_totals_of_a_program_are_over_its_runs_with_a_result(self) -> None:
        records = [record("a", 10, 9), record("a", 10, 7, repetition=1), record("b", 5, None)]
        assert program_totals(records) == {"a": (20, 16)}


class TestTable:
    def test_best_first_then_cheapest_then_by_name(self) -> None:
        records = [
            record("a", 100, 90, agent="dear", additional_compilations=9),
            record("a", 100, 90, agent="cheap-b", additional_compilations=3),
            record("a", 100, 90, agent="cheap-a", additional_compilations=3),
            record("a", 100, 80, agent="best", additional_compilations=99),
            record("a", 100, 120, agent="worst"),
            record("a", 100, None, agent="broken"),
        ]
        order = [row.agent for row in score_table(records)]
        assert order == ["best", "cheap-a", "cheap-b", "dear", "worst", "broken"]

    def test_more_runs_are_not_more_expensive(self) -> None:
        spent = {"additional_compilations": 3}
        records = [
            record("a", 100, 90, agent="often", **spent),
            record("a", 100, 90, agent="often", repetition=1, **spent),
            record("a", 100, 90, agent="once", additional_compilations=4),
        ]
        assert [row.agent for row in score_table(records)] == ["often", "once"]

    def test_versions_of_an_agent_are_rows_of_their_own(self) -> None:
        rows = score_table([record("a", 10, 9), record("a", 10, 8, agent_version="2")])
        assert [(row.agent, row.agent_version) for row in rows] == [("x", "2"), ("x", "1")]

    def test_json_has_the_keys_that_scripts_rely_on(self) -> None:
        (row,) = score_table([record("a", 10, 9), record("b", 10, 9)])
        content = json.loads(json.dumps(row.to_json(), allow_nan=False))
        assert {
            "agent", "budget", "programs", "improved", "regressed", "instructions_saved",
            "instructions_regressed", "overall_improvement", "mean_over_oz", "geomean_over_oz",
            "additional_compilations", "seconds", "failures",
        } <= set(content)  # fmt: skip
        assert content["overall_improvement"] == pytest.approx(20 / 18 - 1)
        assert content["complete"] is True
        assert content["with_backup"]["additional_compilations"] == 2
        assert content["with_backup"]["complete"] is True
        assert content["with_backup"]["with_backup"] is None
        assert len(content["interval"]) == 2
