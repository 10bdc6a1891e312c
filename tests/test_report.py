"""Tables for people: the columns of the paper with its numbers, and budgets where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_score import OZ_TOTAL, record

from llmopt_bench import Record
from llmopt_bench.cli import main
from llmopt_bench.report import PAPER_COLUMNS, columns_for, markdown_rows
from llmopt_bench.score import rows_of

# Of the 100,000 functions of the paper, those are records here on which the answer is not -Oz; the
# others are one record together.
AUTOTUNER = ("2,522,253,069", "6,764", "0", "30,948", "0", "5.03%")
AUTOPHASE = ("4,500,000", "1,558", "8,400", "6,522", "32,357", "-3.85%")
CORESET_NVP = ("442,747", "3,985", "6,072", "16,064", "28,405", "-1.88%")
LLM = ("0", "4,136", "526", "21,935", "3,095", "3.01%")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def parts(total: int, count: int) -> list[int]:
    """Return ``count`` numbers that are about equal and sum up to ``total``."""
    return [total // count + (place < total % count) for place in range(count)] if count else []


def published(row: tuple[str, ...], as_good: int = 0) -> Iterator[Record]:
    """Yield records that add up to a row of Table III.

    Args:
        row: Additional compilations, functions improved and regressed, instructions saved and
            regressed, overall improvement.
        as_good: Functions whose answer is as good as -Oz, and another.
    """
    spent, improved, regressed, saved, lost = map(number, row[:5])
    losses = [-delta for delta in parts(lost, regressed)]
    left = OZ_TOTAL
    for place, delta in enumerate([*parts(saved, improved), *losses, *[0] * as_good]):
        oz = max(delta, 0) + 1
        left -= oz
        yield record(f"f{place}", oz, oz - delta, budget=spent)
    answer = {"pass_list": "Oz", "budget": spent, "additional_compilations": spent}
    yield record("rest", left, left, **answer)


def paper_cells(records: Iterator[Record]) -> tuple[str, ...]:
    (row,) = rows_of(records)
    return tuple(column.cell(row) for column in PAPER_COLUMNS)


def test_the_row_of_the_paper_with_and_without_backup() -> None:
    # 5,721 answers were not -Oz: what the backup costs.
    as_good = 5_721 - 4_136 - 526
    assert paper_cells(published(LLM, as_good)) == ("x 1", *LLM, "5,721", "3.52%")


@pytest.mark.parametrize(
    ("row", "with_backup"),
    [(AUTOTUNER, "5.03%"), (AUTOPHASE, "1.02%"), (CORESET_NVP, "2.55%")],
    ids=["autotuner", "AutoPhase", "Coreset-NVP"],
)
def test_the_rows_that_it_compares_with(row: tuple[str, ...], with_backup: str) -> None:
    name, *cells, _, improvement = paper_cells(published(row))
    assert (name, *cells, improvement) == ("x 1", *row, with_backup)


def test_nine_columns_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "records.jsonl"
    records = [record("a", 100, 90, additional_compilations=7), record("b", 100, 105)]
    path.write_text("".join(r.to_json() + "\n" for r in records))
    with pytest.raises(SystemExit) as end:
        main(["score", "--paper", str(path)])
    out = capsys.readouterr().out
    assert not end.value.code
    (line,) = [line for line in out.splitlines() if "x 1" in line]
    assert line.split() == ["x", "1", "7", "1", "1", "10", "5", "2.56%", "9", "5.26%"]
    for word in ("additional", "improved", "regressed", "saved", "overall improvement", "backup"):
        assert word in out


def test_the_paper_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["score", "--paper", "--json", str(tmp_path)])
    assert end.value.code == 2
    assert "Give one" in capsys.readouterr().err


def test_rows_without_a_result_have_dashes() -> None:
    cells = paper_cells(iter([record("a", 100, None)]))
    assert cells[-3:] == ("-", "0", "-")


def test_budgets_are_shown_where_they_differ() -> None:
    one, two = record("a", 10, 9, budget=5), record("a", 10, 8, budget=1000)
    assert "Budget" not in [column.heading for column in columns_for(rows_of([one]))]
    headings, _, first, second = markdown_rows(rows_of([one, two])).splitlines()
    assert headings.startswith("| Agent | Budget |")
    assert first.startswith("| x 1 | 5 | ")
    assert second.startswith("| x 1 | 1,000 | ")


def test_names_of_agents_are_no_markup() -> None:
    table = markdown_rows(rows_of([record("a", 10, 9, agent="a|b <i>")]))
    assert "| a\\|b &lt;i&gt; 1 |" in table
