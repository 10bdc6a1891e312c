"""The rules of a board that can be checked without a compiler, one record at a time.

Each answers a way in which a table of results can be wrong, by mistake or on purpose: programs left
out or run twice, an easier reference, another task, training that is not told, a search that looks
like none. Reading stops at the first record that breaks a rule, so a file that is made to fill the
memory does not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from llmopt_bench.action_set import make_action_set
from llmopt_bench.board_programs import ProgramFacts
from llmopt_bench.card import MAX_COUNT, Card
from llmopt_bench.errors import BadEntry, UnknownPass, shorten, shown
from llmopt_bench.passes import PassList
from llmopt_bench.record import Record
from llmopt_bench.task import Task

MAX_RUNS = 16
"""The most budgets of one entry."""
MAX_LIST_TEXT = 1 << 16
MAX_NOTES = 1 << 16
"""The longest pass list and the longest notes (settings, usage, build) of a record, as text."""


_TOO_MUCH = "Leave out what is too much, or ask the maintainers."


class Rules:
    """Admits the records of one entry.

    Args:
        card: What the entry says about itself.
        task: The task of the board.
        programs: The programs of the task by URI.
    """

    def __init__(self, card: Card, task: Task, programs: Mapping[str, ProgramFacts]) -> None:
        self._card = card
        self._task = task
        self._programs = programs
        self._actions = make_action_set(task.action_set)
        self._expected = {
            "task": task.name,
            "task_sha256": task.sha256,
            "agent": card.agent,
            "agent_version": card.version,
            "action_set": task.action_set,
            "action_set_sha256": self._actions.sha256,
            "metric": task.metric,
            "status": "ok",
        }
        self._seen: set[tuple[int, str, int, int]] = set()
        self._settings: dict[int, dict[str, Any]] = {}

    def admit(self, record: Record) -> bool:
        """Return True.

        Raises:
            BadEntry: The record breaks a rule.
        """
        try:
            self._check_identity(record)
            self._check_program(record)
            self._check_account(record)
            self._check_place(record)
            self._check_answer(record)
        except BadEntry as error:
            raise BadEntry(f"{_run(record)}: {error}") from error
        return True

    def finish(self) -> None:
        """Check, after the last record, that none is missing.

        Raises:
            BadEntry: One is.
        """
        if not self._settings:
            raise BadEntry("expected records, found none. Run the agent first.")
        counts = Counter(budget for budget, *_ in self._seen)
        places = [(s, r) for s in self._card.seeds for r in range(self._task.repetitions)]
        expected = len(self._programs) * len(places)
        for budget, count in sorted(counts.items()):
            if count == expected:
                continue
            program, seed, repetition = next(
                (program, *place)
                for place in places
                for program in self._programs
                if (budget, program, *place) not in self._seen
            )
            raise BadEntry(
                f"expected {expected:,} records at budget {budget:,} (every program, seed of the "
                f"card and repetition), got {count:,}; missing are {shown(program)}, seed {seed}, "
                f"repetition {repetition}, and {expected - count - 1:,} more. Run the agent on all."
            )

    def _check_identity(self, record: Record) -> None:
        for name, expected in self._expected.items():
            if (found := getattr(record, name)) != expected:
                raise BadEntry(
                    f"{name}: expected {expected!r}, got {shown(found)}. An entry has the answers "
                    "of one version of one agent to one task, and none that failed."
                )
        untold = sorted(set(record.trained_on).difference(self._card.trained_on))
        if untold:
            raise BadEntry(
                f"trained_on: expected only what the card names, got {shown(untold)}. Add it there."
            )

    def _check_program(self, record: Record) -> None:
        facts = self._programs.get(record.program)
        if facts is None:
            raise BadEntry(
                f"program: expected one of the {len(self._programs):,} of the task, got another. "
                "Leave it out."
            )
        for name in ("program_sha256", "initial", "oz"):
            expected, found = getattr(facts, name), getattr(record, name)
            if found != expected:
                raise BadEntry(
                    f"{name}: expected {expected}, as for every entry of the task, got {found}. "
                    "Were these records made with the LLVM of the task?"
                )

    def _check_place(self, record: Record) -> None:
        """Check that the run is one of those to do, and was not there before."""
        if record.seed not in self._card.seeds:
            raise BadEntry(f"seed: expected one of the card, got {shown(record.seed)}. Add it.")
        if record.repetition >= self._task.repetitions:
            raise BadEntry(
                f"repetition: expected one of {self._task.repetitions}, from 0, got "
                f"{shown(record.repetition)}. Leave it out."
            )
        settings = self._settings.setdefault(record.budget, record.agent_settings)
        if len(self._settings) > MAX_RUNS:
            raise BadEntry(f"budget: expected at most {MAX_RUNS} budgets, got more. {_TOO_MUCH}")
        if record.agent_settings != settings:
            raise BadEntry(
                "agent_settings: expected the same on all programs at one budget, got others. "
                "Give the other variant a version of its own."
            )
        key = (record.budget, record.program, record.seed, record.repetition)
        if key in self._seen:
            raise BadEntry("expected every run once, got this one twice. Remove one.")
        self._seen.add(key)

    def _check_account(self, record: Record) -> None:
        for name in ("budget", "passes_applied"):
            if getattr(record, name) > MAX_COUNT:
                raise BadEntry(f"{name}: expected at most {MAX_COUNT}, got more. {_TOO_MUCH}")
        for setting in record.agent_settings.values():
            if isinstance(setting, int) and abs(setting) > MAX_COUNT:
                raise BadEntry(
                    f"agent_settings: expected integers of 64 bits, got more. {_TOO_MUCH}"
                )
        spent, passes = record.additional_compilations, record.passes_applied
        if passes and not spent:
            raise BadEntry(
                f"additional_compilations: expected 1 or more, since {passes:,} passes were "
                "applied, got 0. Give the records as `run` has written them."
            )
        # The first point is the program as it is; each further one took a compilation of some pass.
        if (improvements := max(len(record.curve) - 1, 0)) > passes:
            raise BadEntry(
                f"passes_applied: expected {improvements:,} or more, since the curve has that many "
                f"improvements, got {passes:,}. Give the records as `run` has written them."
            )
        notes = (
            record.agent_settings,
            record.usage,
            record.build,
            record.trained_on,
            record.llvm_version,
            record.package_version,
        )
        if len(json.dumps(notes)) > MAX_NOTES:
            raise BadEntry(
                f"expected at most {MAX_NOTES:,} characters of notes, got more. {_TOO_MUCH}"
            )

    def _check_answer(self, record: Record) -> None:
        if len(record.pass_list) > MAX_LIST_TEXT:
            raise BadEntry(
                f"pass_list: expected at most {MAX_LIST_TEXT:,} characters, got more. {_TOO_MUCH}"
            )
        try:
            answer = PassList.parse(record.pass_list, self._actions)
        except UnknownPass as error:
            raise BadEntry(f"pass_list: {shorten(str(error), 300)}") from error
        if answer.compact != record.pass_list:
            raise BadEntry(
                f"pass_list: expected names of actions alone, {shown(answer.compact)}, got "
                f"{shown(record.pass_list)}."
            )


def _run(record: Record) -> str:
    """Return what a message calls a record, which may say anything."""
    place = f"seed {shown(record.seed, 30)}, repetition {shown(record.repetition, 30)}"
    return f"{shown(record.program)}, budget {shown(record.budget, 30)}, {place}"
