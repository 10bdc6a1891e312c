"""The numbers that the site shows and hands to the browser."""

from __future__ import annotations

import json

import pytest
from made_boards import PROGRAMS, answer_of, made_board, oz_of

from llmopt_bench.board_site_data import (
    COLUMNS,
    interval_text,
    json_text,
    mean_spent,
    number,
    pass_data,
    signed_percent,
    task_data,
    track_name,
)

BOARD = made_board()
DATA = task_data(BOARD)


def run_data(agent: str, budget: int) -> dict[str, list[int]]:
    names = [entry["name"] for entry in DATA["entries"]]
    place = names.index(f"{agent} 1")
    (run,) = (r for r in DATA["runs"] if (r["entry"], r["budget"]) == (place, budget))
    return dict(run)


class TestTaskData:
    def test_counts_are_those_of_the_records_in_the_order_of_the_programs(self) -> None:
        for entry in BOARD.entries:
            for run in entry.runs:
                columns = run_data(entry.card.agent, run.budget)
                repeats = columns["repeats"]
                for record in run.records:
                    cell = PROGRAMS.index(record.program) * repeats + record.repetition
                    assert columns["new"][cell] == record.new
                    assert columns["spent"][cell] == record.additional_compilations
                assert len(columns["new"]) == len(run.records)

    def test_programs_have_their_facts(self) -> None:
        assert DATA["programs"] == list(PROGRAMS)
        assert DATA["oz"] == [oz_of(number) for number in range(len(PROGRAMS))]
        assert DATA["initial"] == [2 * oz for oz in DATA["oz"]]
        assert set(DATA["sha"]) == {"1" * 12}
        assert DATA["unit"] == "instructions"

    def test_tracks_name_runs_in_the_order_of_the_board(self) -> None:
        for shown, track in zip(DATA["tracks"], BOARD.tracks, strict=True):
            assert shown["limit"] == track.limit
            for key, standings in (("ranked", track.standings), ("apart", track.apart)):
                runs = [DATA["runs"][place] for place in shown[key]]
                assert [(DATA["entries"][r["entry"]]["name"], r["budget"]) for r in runs] == [
                    (f"{s.card.agent} 1", s.run.budget) for s in standings
                ]
        assert [len(track["apart"]) for track in DATA["tracks"]] == [1] * 5


def test_pass_lists_come_back_as_they_were() -> None:
    entry = next(entry for entry in BOARD.entries if entry.card.agent == "seeker")
    passes = pass_data(entry, BOARD.programs)
    for run, places in zip(entry.runs, passes["runs"], strict=True):
        lists = [[passes["names"][name] for name in passes["lists"][place]] for place in places]
        expected = [answer_of(program, run.budget) for program in range(len(PROGRAMS))]
        assert [",".join(names) for names in lists] == expected
    assert len(passes["lists"]) == 5
    assert len(passes["names"]) == 5


def test_an_empty_pass_list_is_a_list_of_nothing() -> None:
    entry = next(entry for entry in made_board().entries if entry.card.agent == "fixed")
    for record in entry.runs[0].records:
        object.__setattr__(record, "pass_list", "")
    assert pass_data(entry, BOARD.programs)["lists"] == [[]]


def test_columns_show_the_scores_of_the_row() -> None:
    standing = BOARD.tracks[-1].standings[0]
    values = {column.key: column.value(standing) for column in COLUMNS}
    row = standing.row
    assert row.with_backup is not None
    assert values == {
        "overall": row.overall_improvement,
        "backup": row.with_backup.overall_improvement,
        "mean": row.mean_over_oz,
        "geomean": row.geomean_over_oz,
        "scaled": row.scaled_reduction,
        "area": standing.area,
        "improved": row.improved,
        "regressed": row.regressed,
        "spent": mean_spent(standing),
        "seconds": 0.25,
    }
    assert mean_spent(standing) == standing.run.budget
    assert len({column.heading for column in COLUMNS}) == len(COLUMNS)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0301, "+3.01 %"), (-0.5, "\N{MINUS SIGN}50.00 %"), (None, "\N{EN DASH}")],
)
def test_percent(fraction: float | None, text: str) -> None:
    assert signed_percent(fraction) == text


def test_interval() -> None:
    assert interval_text((-0.01, 0.025)) == "\N{MINUS SIGN}1.00 to +2.50 %"
    assert interval_text(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (1364, "1,364"),
        (49.97, "50.0"),
        (0.034, "0.03"),
        (1234.5, "1,234"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_track_names() -> None:
    assert [track_name(limit) for limit in (0, 10, 1000, None)] == [
        "none",
        "at most 10",
        "at most 1,000",
        "no limit",
    ]


def test_json_in_a_script_is_the_value_and_nothing_else() -> None:
    value = {"a": ["</script>", "\u2028", "'\"&", "漢"], "n": [1, None, 2.5]}
    text = json_text(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_json_refuses_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        json_text([float("nan")])
