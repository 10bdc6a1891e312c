"""Who stands where, by hand and by properties that hold for all boards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import OZ, TASK, made_card, made_entry, made_run, run_record

from llmopt_bench.board import TRACKS, Board, Standing, make_board
from llmopt_bench.entries import Entry, EntryRun
from llmopt_bench.errors import BadEntry, BadRecord
from llmopt_bench.score import rows_of
from llmopt_bench.score_curve import anytime_area

MANY = [f"p{number:03}" for number in range(100)]


def by_program(new: Callable[[int], int]) -> dict[str, int]:
    """Return a result for each of many programs."""
    return {program: new(number) for number, program in enumerate(MANY)}


def board_of(*entries: Entry) -> Board:
    return make_board(TASK, entries)


def standings(board: Board, limit: int | None) -> Sequence[Standing]:
    return board.tracks[TRACKS.index(limit)].standings


def places(board: Board, limit: int | None = None) -> list[tuple[str, int | None, bool]]:
    return [(s.card.agent, s.rank, s.tied) for s in standings(board, limit)]


class TestRanks:
    def test_programs_that_differ_hide_no_difference_on_each_of_them(self) -> None:
        # Some programs are easy for both, so that the intervals overlap; on each, one is better.
        better = made_entry("better", by_program(lambda n: OZ - 300 * (n % 2)))
        worse = made_entry("worse", by_program(lambda n: OZ - 300 * (n % 2) + 2))
        first, second = standings(board_of(worse, better), 0)
        assert (first.card.agent, second.card.agent) == ("better", "worse")
        assert first.row.interval is not None
        assert second.row.interval is not None
        assert second.row.interval[1] > first.row.interval[0]
        assert (first.rank, second.rank, first.tied, second.tied) == (1, 2, False, False)

    def test_who_wins_here_and_loses_there_shares_the_rank(self) -> None:
        level = made_entry("level", by_program(lambda _: 900))
        uneven = made_entry("uneven", by_program(lambda n: 905 + (50 if n % 2 else -50)))
        clear = made_entry("clear", by_program(lambda _: 950))
        assert places(board_of(clear, uneven, level)) == [
            ("level", 1, True),
            ("uneven", 1, True),
            ("clear", 3, False),
        ]

    def test_a_rank_is_measured_at_its_best_and_not_from_neighbour_to_neighbour(self) -> None:
        # `third` can be told from `best`, and not from `uneven`, which has the rank of `best`.
        best = made_entry("best", by_program(lambda _: 900))
        uneven = made_entry("uneven", by_program(lambda n: 905 + (55 if n % 2 else -55)))
        third = made_entry("third", by_program(lambda _: 910))
        also = made_entry("also", by_program(lambda n: 915 + (55 if n % 2 else -55)))
        found = places(board_of(also, third, uneven, best))
        assert found == [
            ("best", 1, True),
            ("uneven", 1, True),
            ("third", 3, True),
            ("also", 3, True),
        ]

    def test_equals_stand_by_cost_then_name_and_share_the_rank(self) -> None:
        results = by_program(lambda n: 900 + n % 7)
        spent: dict[str, Any] = {"budget": 9, "additional_compilations": 2}
        dear = made_entry("dear", results, **spent)
        one, two = made_entry("one", results), made_entry("two", results)
        assert places(board_of(dear, two, one)) == [
            ("one", 1, True),
            ("two", 1, True),
            ("dear", 1, True),
        ]

    def test_repetitions_weigh_no_more_than_one_run(self) -> None:
        once = made_entry("once", by_program(lambda n: 900 + n % 5))
        often = made_entry("often", by_program(lambda n: 900 + n % 5))
        (run,) = often.runs
        again = tuple(replace(record, repetition=1) for record in run.records)
        often = replace(often, runs=(EntryRun(0, run.records + again),))
        assert places(board_of(once, often)) == [("often", 1, True), ("once", 1, True)]

    def test_a_board_without_entries_has_all_tracks(self) -> None:
        board = board_of()
        assert board.programs == ("a", "b", "c")
        assert [track.limit for track in board.tracks] == list(TRACKS)
        assert not any(track.standings or track.apart for track in board.tracks)


class TestTracks:
    def test_what_was_spent_decides_and_not_the_budget(self) -> None:
        frugal = made_entry("frugal", {"a": 900, "b": 900}, budget=1000, additional_compilations=10)
        spends = made_entry("spends", {"a": 800, "b": 800}, budget=1000, additional_compilations=11)
        board = board_of(frugal, spends)
        assert [s.card.agent for s in standings(board, 0)] == []
        assert [s.card.agent for s in standings(board, 10)] == ["frugal"]
        for limit in (100, 1000, None):
            assert [s.card.agent for s in standings(board, limit)] == ["spends", "frugal"]

    def test_the_program_that_took_most_decides(self) -> None:
        cheap, dear = (
            run_record("x", program, 900, budget=200, additional_compilations=spent)
            for program, spent in (("a", 1), ("b", 101))
        )
        board = board_of(Entry(made_card("x"), (EntryRun(200, (cheap, dear)),)))
        assert [bool(standings(board, limit)) for limit in TRACKS] == [False] * 3 + [True] * 2

    def test_each_agent_stands_once_with_its_best_run_within_the_limit(self) -> None:
        runs = tuple(
            made_run("x", {"a": new, "b": new}, budget=budget, additional_compilations=budget)
            for budget, new in ((0, 990), (5, 950), (10, 960), (100, 900), (5000, 890))
        )
        board = board_of(Entry(made_card("x"), runs))
        found = [[standing.run.budget for standing in standings(board, t)] for t in TRACKS]
        assert found == [[0], [5], [100], [100], [5000]]

    def test_versions_stand_beside_each_other(self) -> None:
        old = made_entry("x", {"a": 950, "b": 950})
        run = made_run("x", {"a": 900, "b": 900}, agent_version="2")
        new = Entry(made_card("x", version="2"), (run,))
        assert [s.card.version for s in standings(board_of(old, new), 0)] == ["2", "1"]

    def test_area_is_up_to_the_limit_of_the_track_or_the_budget_of_the_task(self) -> None:
        curve = ((0, 2000), (1, 1000), (50, 800))
        entry = made_entry("x", {"a": 800}, budget=50, additional_compilations=50, curve=curve)
        board = board_of(entry, made_entry("level", {"a": 900}))
        areas = {(limit, s.card.agent): s.area for limit in TRACKS for s in standings(board, limit)}
        records = entry.runs[0].records
        assert areas[100, "x"] == anytime_area(records, 100) != anytime_area(records, 1000)
        assert areas[1000, "x"] == areas[None, "x"] == anytime_area(records, 1000)
        assert areas[0, "level"] is None
        assert areas[10, "level"] == pytest.approx(1000 / 900 - 1)


class TestApart:
    def entry(self, *trained_on: str) -> Entry:
        run = made_run("learnt", {"a": 500, "b": 500})
        return Entry(made_card("learnt", trained_on=trained_on), (run,))

    @pytest.mark.parametrize("name", ["a", "t", " b ", "benchmark://c"])
    def test_who_learnt_from_the_test_set_is_never_ranked(self, name: str) -> None:
        honest = made_entry("honest", {"a": 900, "b": 900})
        board = board_of(self.entry("elsewhere", name), honest)
        for track in board.tracks:
            assert [(s.card.agent, s.rank, s.tied) for s in track.apart] == [
                ("learnt", None, False)
            ]
            assert [(s.card.agent, s.rank) for s in track.standings] == [("honest", 1)]

    @pytest.mark.parametrize("names", [(), ("elsewhere",), ("ab", "bundled-v1", "functions-v1")])
    def test_other_programs_do_no_harm(self, names: tuple[str, ...]) -> None:
        assert places(board_of(self.entry(*names))) == [("learnt", 1, False)]

    def test_records_tell_what_a_card_leaves_out(self) -> None:
        entry = made_entry("x", {"a": 900}, trained_on=("a",))
        track = board_of(entry).tracks[0]
        assert (track.standings, len(track.apart)) == ((), 1)

    def test_a_task_of_that_set_counts_as_the_set(self) -> None:
        task = replace(TASK, programs=(), dataset="bundled-functions-v1")
        learnt = replace(made_card("x"), trained_on=("programs-v1",))
        entry = Entry(learnt, (made_run("x", {"a": 900}, task),))
        track = make_board(task, [entry]).tracks[0]
        assert (track.standings, len(track.apart)) == ((), 1)


class TestRefused:
    def test_another_version_of_the_task(self) -> None:
        other = replace(TASK, budget=999)
        message = f"expected records of t {TASK.sha256[:12]}, got t {other.sha256[:12]}"
        with pytest.raises(BadEntry, match=message):
            board_of(made_entry("x", {"a": 900}), made_entry("y", {"a": 900}, other))

    def test_an_entry_twice(self) -> None:
        low = made_entry("x", {"a": 900})
        high = made_entry("x", {"a": 800}, budget=9)
        with pytest.raises(BadEntry, match="x-1: expected one entry of this name, got two"):
            board_of(low, high)

    def test_programs_that_others_have(self) -> None:
        with pytest.raises(BadEntry, match=r"y-1: .* 2 programs .* 0 failures and 1 missing"):
            board_of(made_entry("x", {"a": 900, "b": 900}), made_entry("y", {"a": 900}))

    def test_programs_that_the_task_has_and_nobody_ran(self) -> None:
        entry = made_entry("x", {"a": 900, "b": 900})
        assert make_board(TASK, [entry], {"b", "a"}).programs == ("a", "b")
        with pytest.raises(BadEntry, match=r"x-1: .* 3 programs .* 1 missing"):
            make_board(TASK, [entry], {"a", "b", "c"})

    def test_runs_without_an_answer(self) -> None:
        failed = {"status": "failed", "error": "none", "module_sha256": None}
        record = run_record("x", "a", None, **failed)  # type: ignore[arg-type]
        with pytest.raises(BadEntry, match="1 failures"):
            board_of(Entry(made_card("x"), (EntryRun(0, (record,)),)))

    def test_entries_that_disagree_about_a_program(self) -> None:
        with pytest.raises(BadRecord, match="a: expected"):
            board_of(made_entry("x", {"a": 900}), made_entry("y", {"a": 900}, oz=1001))


@st.composite
def some_entries(draw: st.DrawFn) -> list[Entry]:
    """Return up to five entries with up to three runs on a few programs."""
    programs = [f"p{n}" for n in range(draw(st.integers(1, 4)))]
    entries = []
    for agent in draw(st.lists(st.sampled_from("uvwxyz"), max_size=5, unique=True)):
        budgets = draw(
            st.lists(st.sampled_from([0, 5, 50, 5000]), min_size=1, max_size=3, unique=True)
        )
        trained_on = draw(st.sampled_from([(), ("else",), ("t",)]))
        runs = tuple(
            made_run(
                agent,
                {program: draw(st.integers(900, 1100)) for program in programs},
                budget=budget,
                additional_compilations=draw(st.integers(0, budget)),
            )
            for budget in sorted(budgets)
        )
        entries.append(Entry(made_card(agent, trained_on=trained_on), runs))
    return entries


class TestProperties:
    @given(some_entries(), st.randoms(use_true_random=False))
    @settings(max_examples=25, deadline=None)
    def test_the_order_of_entries_does_not_matter(self, entries: list[Entry], by: Random) -> None:
        shuffled = by.sample(entries, len(entries))
        assert make_board(TASK, shuffled) == make_board(TASK, entries)

    @given(some_entries())
    @settings(max_examples=25, deadline=None)
    def test_another_entry_changes_no_score_of_the_others(self, entries: list[Entry]) -> None:
        with_all = make_board(TASK, entries)
        without = make_board(TASK, entries[1:])
        for larger, smaller in zip(with_all.tracks, without.tracks, strict=True):
            found = {
                s.card.agent: (s.run, s.row, s.area) for s in (*larger.standings, *larger.apart)
            }
            for s in (*smaller.standings, *smaller.apart):
                assert found[s.card.agent] == (s.run, s.row, s.area)

    @given(some_entries())
    @settings(max_examples=25, deadline=None)
    def test_ranks_go_with_scores_and_no_track_breaks_its_limit(self, entries: list[Entry]) -> None:
        for track in make_board(TASK, entries).tracks:
            scores = [standing.row.overall_improvement or 0 for standing in track.standings]
            ranks = [standing.rank for standing in track.standings]
            assert scores == sorted(scores, reverse=True)
            for place, (standing, rank) in enumerate(zip(track.standings, ranks, strict=True)):
                assert rank in (place + 1, ranks[place - 1] if place else 1)
                assert standing.tied == (ranks.count(rank) > 1)
            for standing in (*track.standings, *track.apart):
                assert track.limit is None or standing.run.most <= track.limit
                assert [standing.row] == rows_of(standing.run.records)
            assert all(standing.rank is None for standing in track.apart)


def test_boards_are_made_without_a_compiler() -> None:
    code = (
        "import sys, llmopt_bench.board, llmopt_bench.board_pages\n"
        "heavy = {'torch', 'llmopt_bench._core', 'llmopt_bench.session', 'llmopt_bench.env'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
