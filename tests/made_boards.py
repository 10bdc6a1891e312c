"""Boards that nobody stands on, for tests of the site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from made_entries import made_card, run_record

from llmopt_bench import Record, Task
from llmopt_bench.board import Board, make_board
from llmopt_bench.entries import Entry, EntryRun

PROGRAMS = tuple(f"made-v0/program_{number:02}" for number in range(12))
TASK = Task(
    name="made-v1",
    metric="instruction_count",
    budget=100,
    programs=PROGRAMS,
    description="Twelve programs that were made up.",
)
TASK_PAGE = "tasks/made-v1/index.html"
AGENT_PAGE = "tasks/made-v1/agents/seeker-1.html"
PASSES = ("globaldce", "gvn<no-memdep;memoryssa>", "simplifycfg", "instcombine", "licm")
HOSTILE = (
    '<script>hacked=1</script><img src=x onerror="hacked=1">\'"--></title></script>',
    "[click](javascript:hacked=1) {{ 7*7 }} ${hacked=1} \\u003cb\\u003e &lt;b&gt;",
    "javascript:hacked=1//" + "W" * 300,
)


def oz_of(program: int) -> int:
    """Return what -Oz makes of a program; no two are alike, and they are not in order."""
    return 100 + 10 * (7 * program % 12)


def answer_of(program: int, spent: int) -> str:
    """Return a pass list that differs from program to program."""
    return ",".join(PASSES[: 1 + (program + spent // 10) % len(PASSES)])


def made_records(agent: str, spent: int, gains: Sequence[int], **changes: Any) -> list[Record]:
    """Return a record of each program; ``gains`` are what the agent saves, program by program."""
    return [
        run_record(
            agent,
            name,
            oz_of(number) - gains[number % len(gains)],
            TASK,
            **{
                "oz": oz_of(number),
                "initial": 2 * oz_of(number),
                "budget": spent,
                "additional_compilations": spent,
                "wall_seconds": 0.25,
                "pass_list": answer_of(number, spent),
                **changes,
            },
        )
        for number, name in enumerate(PROGRAMS)
    ]


def entry_of(agent: str, kind: str, *runs: Sequence[Record], **card: Any) -> Entry:
    """Return an entry of some runs."""
    made = tuple(EntryRun(run[0].budget, tuple(run)) for run in runs)
    return Entry(made_card(agent, kind=kind, **card), made)


def made_entries() -> list[Entry]:
    """Return entries of all kinds, in all tracks, one of them trained on the test set."""
    twice = [
        record
        for repetition in (0, 1)
        for record in made_records("twice", 5, (2 + 2 * repetition,), repetition=repetition)
    ]
    return [
        entry_of("fixed", "pipeline", made_records("fixed", 0, (0,))),
        entry_of(
            "seeker",
            "search",
            made_records("seeker", 10, (6, 8, -1)),
            made_records("seeker", 100, (12, 9)),
        ),
        entry_of("learner", "learned", made_records("learner", 8, (10, -4, 3))),
        entry_of("talker", "language-model", made_records("talker", 0, (1, 0, -2))),
        entry_of("twice", "other", twice),
        entry_of(
            "crammer", "learned", made_records("crammer", 0, (30,)), trained_on=(PROGRAMS[0],)
        ),
    ]


def made_board() -> Board:
    """Return the board of ``made_entries``."""
    return make_board(TASK, made_entries())


def hostile_board(text: str) -> Board:
    """Return a board on which every text that an entry or a task can hold is ``text``."""
    plain = text.replace("\n", " ")
    task = Task(
        name="hostile-v1",
        metric="instruction_count",
        budget=10,
        programs=tuple(f"{plain}{number}" for number in range(3)),
        description=plain,
    )
    entries = []
    for agent in ("a", "b"):
        card = made_card(
            agent * 60,
            version="9" * 60,
            description=text,
            authors=(plain,),
            command=text,
            code="https://example.org/" + "w" * 300,
            model="a model: " + plain.replace("://", ":"),
            trained_on=(plain,),
            hardware=plain,
            licence=plain,
        )
        changes = {"agent_version": "9" * 60, "pass_list": plain, "llvm_version": plain}
        records = tuple(
            run_record(card.agent, program, 900 + number, task, **changes)
            for number, program in enumerate(task.programs)
        )
        entries.append(Entry(card, (EntryRun(0, records),)))
    return make_board(task, entries)
