"""What the pages of a board's site show: columns of the table, and data for the browser.

The browser gets columns of integers, and pass lists as places in a table of pass names, so that a
task of thousands of programs still opens at once from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llmopt_bench.board import Board, Standing
from llmopt_bench.entries import Entry, EntryRun
from llmopt_bench.plain_text import visible
from llmopt_bench.report import percent

UNITS = {"instruction_count": "instructions", "text_size": "bytes"}
"""What a task's metric counts, in the plural."""

_NONE = "\N{EN DASH}"


class Column(NamedTuple):
    """One numeric column of the table of a track."""

    key: str
    heading: str
    meaning: str
    value: Callable[[Standing], float | None]
    text: Callable[[float | None], str]
    level: int
    """1: on every screen; 2: from a tablet on; 3: on a wide screen only."""


def signed_percent(fraction: float | None) -> str:
    """Return a fraction as percent, with a real minus sign, or a dash if there is none."""
    if fraction is None:
        return _NONE
    return percent(fraction).replace("-", "\N{MINUS SIGN}")


def interval_text(interval: tuple[float, float] | None) -> str:
    """Return an interval of fractions as percent, or a dash if there is none."""
    if interval is None:
        return _NONE
    low, high = map(signed_percent, interval)
    return f"{low.removesuffix(' %')} to {high}"


def number(value: float | None) -> str:
    """Return a number for a table, with two or three digits where it is small."""
    if value is None:
        return _NONE
    digits = 0 if value == int(value) or value >= 100 else 1 if value >= 1 else 2
    return f"{value:,.{digits}f}"


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}"


def mean_spent(standing: Standing) -> float:
    """Return the mean additional compilations of a run of a standing."""
    return standing.row.additional_compilations / max(standing.row.runs, 1)


def _with_backup(standing: Standing) -> float | None:
    backup = standing.row.with_backup
    return None if backup is None else backup.overall_improvement


COLUMNS = (
    Column(
        "overall",
        "Over -Oz",
        "Overall improvement, the ranked score: sum(Oz) / sum(new) \N{MINUS SIGN} 1.",
        lambda s: s.row.overall_improvement,
        signed_percent,
        1,
    ),
    Column(
        "backup",
        "With backup",
        "The same if -Oz were tried too and the smaller result kept.",
        _with_backup,
        signed_percent,
        3,
    ),
    Column(
        "mean",
        "Mean",
        "mean((Oz \N{MINUS SIGN} new) / Oz): every program weighs the same.",
        lambda s: s.row.mean_over_oz,
        signed_percent,
        3,
    ),
    Column(
        "geomean",
        "Geomean",
        "geomean(Oz / new): 1 is as good as -Oz.",
        lambda s: s.row.geomean_over_oz,
        _ratio,
        3,
    ),
    Column(
        "scaled",
        "Scaled",
        "geomean((O0 \N{MINUS SIGN} new) / (O0 \N{MINUS SIGN} Oz)): 1 is as good as -Oz.",
        lambda s: s.row.scaled_reduction,
        _ratio,
        3,
    ),
    Column(
        "area",
        "Anytime",
        "Area under the anytime curve: how good it was on the way.",
        lambda s: s.area,
        signed_percent,
        3,
    ),
    Column(
        "improved",
        "Smaller",
        "Runs with a smaller result than -Oz.",
        lambda s: s.row.improved,
        number,
        2,
    ),
    Column(
        "regressed",
        "Larger",
        "Runs with a larger result than -Oz.",
        lambda s: s.row.regressed,
        number,
        2,
    ),
    Column(
        "spent",
        "Spent",
        "Additional compilations of a program, on average.",
        mean_spent,
        number,
        1,
    ),
    Column(
        "seconds",
        "Seconds",
        "Wall time of a program on the submitter's machine, on average.",
        lambda s: s.row.seconds / max(s.row.runs, 1),
        number,
        3,
    ),
)


def track_name(limit: int | None) -> str:
    """Return the name of a track, for example ``at most 1,000``."""
    if limit is None:
        return "no limit"
    return f"at most {limit:,}" if limit else "none"


def json_text(content: object) -> str:
    """Return a value as JSON in ASCII, without a character that could end a script element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def task_data(board: Board) -> dict[str, Any]:
    """Return the counts of all runs of a task, for the page that draws them.

    Each run has ``new`` and ``spent`` as columns; the value of repetition k of program p stands at
    ``p * repeats + k``, and is null where there is none.
    """
    facts = {r.program: r for entry in board.entries for run in entry.runs for r in run.records}
    known = [facts.get(program) for program in board.programs]
    runs = [(at, run) for at, entry in enumerate(board.entries) for run in entry.runs]
    places = {_key(board.entries[at], run): place for place, (at, run) in enumerate(runs)}
    return {
        "unit": UNITS[board.task.metric],
        "programs": [visible(program) for program in board.programs],
        "sha": [fact and fact.program_sha256[:12] for fact in known],
        "initial": [fact and fact.initial for fact in known],
        "oz": [fact and fact.oz for fact in known],
        "entries": [{"name": entry_name(e), "kind": e.card.kind} for e in board.entries],
        "runs": [{"entry": at, **_run_data(run, board.programs)} for at, run in runs],
        "tracks": [
            {
                "limit": track.limit,
                "ranked": [places[_standing_key(s)] for s in track.standings],
                "apart": [places[_standing_key(s)] for s in track.apart],
            }
            for track in board.tracks
        ],
    }


def entry_name(entry: Entry) -> str:
    """Return the name and version of an entry's agent."""
    return f"{entry.card.agent} {entry.card.version}"


def pass_data(entry: Entry, programs: Sequence[str]) -> dict[str, Any]:
    """Return the pass lists of all runs of an entry, each distinct list once.

    ``lists`` holds places in ``names``; ``runs`` holds, for each run, places in ``lists`` in the
    order of ``task_data``.
    """
    names: dict[str, int] = {}
    lists: dict[str, int] = {}
    runs = []
    for run in entry.runs:
        cells = _cells(run, programs, lambda record: record.pass_list)
        runs.append([None if c is None else lists.setdefault(c, len(lists)) for c in cells])
    coded = [
        [names.setdefault(name, len(names)) for name in text.split(",")] if text else []
        for text in lists
    ]
    return {"names": list(map(visible, names)), "lists": coded, "runs": runs}


def _key(entry: Entry, run: EntryRun) -> tuple[str, int]:
    return entry.card.folder, run.budget


def _standing_key(standing: Standing) -> tuple[str, int]:
    return standing.card.folder, standing.run.budget


def _run_data(run: EntryRun, programs: Sequence[str]) -> dict[str, Any]:
    return {
        "budget": run.budget,
        "repeats": len(_repetitions(run)),
        "new": _cells(run, programs, lambda record: record.new),
        "spent": _cells(run, programs, lambda record: record.additional_compilations),
    }


def _repetitions(run: EntryRun) -> list[tuple[int, int]]:
    return sorted({(record.seed, record.repetition) for record in run.records})


def _cells(run: EntryRun, programs: Sequence[str], value: Callable[[Any], Any]) -> list[Any]:
    repetitions = _repetitions(run)
    found = {(r.program, r.seed, r.repetition): value(r) for r in run.records}
    return [found.get((program, *which)) for program in programs for which in repetitions]
