"""Attacks on a leaderboard: each is refused when the entry is read, or found by the replay.

What nobody can know from records alone (how many compilations a search has really spent, on which
seeds an agent was tried before) stands in docs/submit.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from attacking import CARD_OF_RANDOM, NAME, as_text, read, refused
from made_entries import made_card
from submitting import SMALL, board, honest, real_board, write_entry

from llmopt_bench import Record
from llmopt_bench.entries import entry_folders, read_entries
from llmopt_bench.errors import BadEntry
from llmopt_bench.verify import verify_records

__all__ = ["board", "honest"]


def found(board: Path, records: list[Record]) -> str:
    """Return what the replay says about an entry that can be read."""
    entry = read(write_entry(board, CARD_OF_RANDOM, records, NAME))
    (finding,) = verify_records(entry.records, run_programs=False, isolation=None)
    return finding.problem


def test_the_honest_entry_is_accepted(board: Path, honest: list[Record]) -> None:
    folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
    (entry,) = read_entries(board, SMALL)
    assert entry == read(folder)
    assert verify_records(entry.records, isolation=None) == []


class TestForgery:
    def test_a_smaller_result(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        problem = found(board, [replace(first, new=1), *others])
        assert problem == f"new: the record says 1, the replay gives {first.new}"

    def test_the_hash_of_another_result(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        problem = found(board, [replace(first, module_sha256="0" * 64), *others])
        assert problem.startswith("module_sha256: the record says 000")

    @pytest.mark.parametrize("field", ["initial", "oz"])
    def test_an_easier_reference(self, board: Path, honest: list[Record], field: str) -> None:
        first, *others = honest
        lie = getattr(first, field) + 5
        message = refused(board, [replace(first, curve=(), **{field: lie}), *others])
        assert f"{field}: expected {lie - 5}, as for every entry of the task, got {lie}" in message

    def test_an_easier_reference_on_the_board_itself(
        self, tmp_path: Path, honest: list[Record]
    ) -> None:
        """Records and list of programs agree, and the replay finds that both are wrong."""
        first, *others = honest
        forged = [replace(first, oz=first.oz + 5), *others]
        board = real_board(tmp_path / "forged", forged)
        assert found(board, forged).startswith(f"oz: the record says {first.oz + 5}, the replay")

    def test_another_program_under_the_same_name(self, board: Path, honest: list[Record]) -> None:
        first, second, third = honest
        swapped = replace(second, program=first.program)
        assert "program_sha256: expected" in refused(board, [swapped, second, third])

    def test_the_facts_of_the_board_on_the_answer_to_another_program(
        self, board: Path, honest: list[Record]
    ) -> None:
        first, second, third = honest
        answer = replace(first, module_sha256=second.module_sha256)
        assert found(board, [answer, second, third]).startswith("module_sha256: ")

    @pytest.mark.parametrize("field", ["task_sha256", "action_set_sha256", "program_sha256"])
    def test_hashes_of_what_was_run(self, board: Path, honest: list[Record], field: str) -> None:
        first, *others = honest
        assert f"{field}: expected" in refused(
            board, [replace(first, **{field: "0" * 64}), *others]
        )


class TestRows:
    def test_a_program_that_did_not_suit(self, board: Path, honest: list[Record]) -> None:
        message = refused(board, honest[:-1])
        assert "expected 3 records at budget 4" in message
        assert SMALL.programs[2] in message

    def test_a_row_twice(self, board: Path, honest: list[Record]) -> None:
        assert "same run as" in refused(board, [*honest, honest[0]])

    def test_a_better_row_in_place_of_another_program(
        self, board: Path, honest: list[Record]
    ) -> None:
        again = replace(honest[0], repetition=1)
        assert "repetition: expected one of 1" in refused(board, [*honest[:-1], again])

    def test_a_program_of_no_task(self, board: Path, honest: list[Record]) -> None:
        foreign = replace(honest[0], program="bundled-v1/adler")
        assert "program: expected one of the 3 of the task" in refused(board, [*honest, foreign])

    def test_the_best_of_many_seeds(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        assert "seed: expected one of the card" in refused(board, [replace(first, seed=9), *others])

    def test_settings_for_each_program(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        tuned = replace(first, agent_settings={**first.agent_settings, "max_passes": 9})
        assert "agent_settings: expected the same" in refused(board, [*others, tuned])

    def test_another_agent_under_the_name(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        assert "agent: expected 'random'" in refused(
            board, [replace(first, agent="oracle"), *others]
        )


class TestAnswers:
    @pytest.mark.parametrize(
        ("pass_list", "problem"),
        [
            ("internalize,globaldce", "is excluded"),
            ("function(no-such-pass)", "unknown"),
            ("trigger-crash-module", "pass_list: "),
            ("instcombine;rm -rf /", "pass_list: "),
            ("-load-pass-plugin=/tmp/x.so", "pass_list: "),
            ("sroa\x00", "pass_list: "),
            (",".join(["dce"] * 20_000), "pass_list: expected at most 65,536 characters"),
            ("function(" * 5000 + "dce" + ")" * 5000, "pass_list: "),
            ("Oz ", "pass_list: expected names of actions alone, 'Oz'"),
        ],
    )
    def test_outside_the_action_set(
        self, board: Path, honest: list[Record], pass_list: str, problem: str
    ) -> None:
        first, *others = honest
        assert problem in refused(board, [replace(first, pass_list=pass_list), *others])


class TestAccount:
    def test_more_than_the_budget(self, board: Path, honest: list[Record]) -> None:
        line = as_text(honest[0], additional_compilations=5)
        assert "additional_compilations: expected at most the budget of 4" in refused(board, [line])

    def test_none_though_passes_were_applied(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        assert first.passes_applied
        claim = replace(first, additional_compilations=0, curve=())
        message = refused(board, [claim, *others])
        assert "additional_compilations: expected 1 or more, since" in message

    def test_fewer_than_the_curve_shows(self, board: Path, honest: list[Record]) -> None:
        record = next(record for record in honest if len(record.curve) > 1)
        last = record.curve[-1][0]
        line = as_text(record, additional_compilations=last - 1)
        assert f"to at most {last - 1} compilations" in refused(board, [line])

    def test_fewer_passes_than_the_curve_shows(self, board: Path, honest: list[Record]) -> None:
        record = next(record for record in honest if len(record.curve) > 1)
        message = refused(board, [replace(record, passes_applied=0)])
        assert f"passes_applied: expected {len(record.curve) - 1} or more" in message

    def test_training_that_is_not_told(self, board: Path, honest: list[Record]) -> None:
        first, *others = honest
        learnt = replace(first, trained_on=("bundled-v1",))
        assert "trained_on: expected only what the card names" in refused(board, [learnt, *others])


class TestNames:
    def test_two_names_that_some_machines_cannot_tell_apart(
        self, board: Path, honest: list[Record]
    ) -> None:
        write_entry(board, CARD_OF_RANDOM, honest, NAME)
        loud = [replace(record, agent="RANDOM") for record in honest]
        write_entry(board, made_card("RANDOM"), loud, "RANDOM-1")
        with pytest.raises(BadEntry, match="'RANDOM-1' and 'random-1' cannot be told apart"):
            entry_folders(board)

    def test_a_name_that_reads_as_two_agents_has_one_folder(
        self, board: Path, honest: list[Record]
    ) -> None:
        """Agent ``a`` version ``1-2`` and agent ``a-1`` version ``2`` would be the same folder."""
        renamed = [replace(r, agent="a", agent_version="1-2") for r in honest]
        folder = write_entry(board, made_card("a", version="1-2"), renamed, "a-1-2")
        assert read(folder).card.agent == "a"
        with pytest.raises(FileExistsError):
            write_entry(board, made_card("a-1", version="2"), honest, "a-1-2")


def test_nothing_of_a_submission_is_run(board: Path, honest: list[Record], tmp_path: Path) -> None:
    """Not its command, not the module that its agent's name could be, no file beside it."""
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "sprung.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    card = made_card(
        "sprung",
        command=f"touch {tmp_path / 'sprung'}",
        model="sprung",
        trained_on=("sprung:agent", "file:///etc/passwd"),
    )
    records = [replace(record, agent="sprung") for record in honest]
    write_entry(board, card, records, "sprung-1")
    code = f"""
import sys
opened, made = [], []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
sys.addaudithook(lambda event, args: event in {{"subprocess.Popen", "os.exec"}} and made.append(1))
from pathlib import Path
from llmopt_bench.entries import read_entries, task_of
board = Path({str(board)!r})
del opened[:]
(entry,) = read_entries(board, task_of(board))
print(made, "sprung" in sys.modules, [p for p in opened if p.startswith("/etc")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=trap,
        env={**os.environ, "PYTHONPATH": str(trap)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[] False []\n"
    assert not (tmp_path / "sprung").exists()
