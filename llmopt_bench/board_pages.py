"""The pages of boards in Markdown: one of all tasks, and one for each of them.

The same boards give the same pages. Everything that an entry says about itself is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from llmopt_bench.board import Board, Standing, Track
from llmopt_bench.card import Card, is_address
from llmopt_bench.entries import Entry
from llmopt_bench.markdown import code_block, escape, link, table
from llmopt_bench.report import interval_text, percent, ratio

MARK = "<!-- Written by `llmopt-bench board`. Do not edit: `board --check` compares. -->"
"""The first line of every page."""
PAGE = "README.md"


class _Column(NamedTuple):
    heading: str
    cell: Callable[[Standing], str]
    numeric: bool = True


_RANK = _Column("Rank", lambda standing: rank_text(standing))
_OVER = _Column("Over -Oz", lambda s: percent(s.row.overall_improvement))
_INTERVAL = _Column("95 % interval", lambda s: interval_text(s.row))
_SPENT = _Column("Compilations", lambda s: f"{s.row.additional_compilations / s.row.runs:,.1f}")
_COLUMNS = (
    _Column("Agent", lambda s: _agent(s.card), numeric=False),
    _OVER,
    _INTERVAL,
    _Column("With backup", lambda s: percent(_backup(s))),
    _Column("Mean", lambda s: percent(s.row.mean_over_oz)),
    _Column("Geomean", lambda s: ratio(s.row.geomean_over_oz)),
    _Column("Scaled", lambda s: ratio(s.row.scaled_reduction)),
    _Column("Anytime", lambda s: percent(s.area)),
    _Column("Improved", lambda s: f"{s.row.improved:,}"),
    _Column("Regressed", lambda s: f"{s.row.regressed:,}"),
    _SPENT,
    _Column("Most", lambda s: f"{s.run.most:,}"),
    _Column("Budget", lambda s: f"{s.run.budget:,}"),
)

_TASK_LEGEND = """\
## Legend

What counts is {metric} of a program: `Oz` is what `clang -Oz` makes of it, `O0` what it has before
any pass, `new` what the agent's answer makes of it.

- **Track**: the most additional compilations that the agent took on any program to choose its
  answer. Compiling the answer once is free. An agent stands in a track once, with its best run.
- **Rank**: by Over -Oz. A rank with `=` is shared: the 95 % bootstrap interval of the difference to
  the first of this rank, on the same programs, holds 0.
- **Over -Oz**, the overall improvement: `sum(Oz) / sum(new) - 1`, with a 95 % bootstrap interval
  over the programs (2,000 samples). Intervals of two agents may overlap although one is better on
  nearly every program; the rank is what tells them apart.
- **With backup**: the same if -Oz were tried too, and the smaller result kept. It would cost one
  more compilation on each program whose answer is not `Oz`.
- **Mean**: `mean((Oz - new) / Oz)`. **Geomean**: `geomean(Oz / new)`. **Scaled**:
  `geomean((O0 - new) / (O0 - Oz))` over the programs that -Oz shrinks. In the last two 1 is as
  good as -Oz.
- **Anytime**: the mean height of Over -Oz from 1 compilation to the track's limit, or without a
  limit to {budget:,}, on a logarithmic axis. A dash: the records do not say.
- **Improved**, **Regressed**: runs with a smaller, a larger result than -Oz.
- **Compilations**: additional ones per run, the mean. **Most**: the most of any run. **Budget**:
  how many the agent was allowed.
- **Not ranked**: who has learnt from programs of this task, or from code that they are made of.
"""

_SUBMIT = """\
## How to submit

`llmopt-bench run --task {task} --agents AGENT --budget N --out DIR`, then
`llmopt-bench submit DIR`: [docs/submit.md]({up}docs/submit.md) has each step and the rules.
`llmopt-bench verify` replays what stands here.
"""


def pages(boards: Sequence[Board]) -> dict[str, str]:
    """Return the text of each page by its path below the folder of the leaderboards."""
    ordered = sorted(boards, key=lambda board: board.task.name)
    by_task = {f"{board.task.name}/{PAGE}": task_page(board) for board in ordered}
    return {PAGE: overview_page(ordered), **by_task}


def overview_page(boards: Sequence[Board]) -> str:
    """Return the page of all tasks: who is best in each track."""
    parts = [
        MARK,
        "# Leaderboards",
        "How small agents make programs, against `clang -Oz`, by how many additional compilations "
        "they take per program. Every number comes from the records beside these pages, and "
        "`llmopt-bench verify` replays them.",
    ]
    for board in boards:
        parts += [
            f"## {link(board.task.name, f'{board.task.name}/{PAGE}')}",
            _about(board),
            _bests(board.tracks),
        ]
    parts.append(_SUBMIT.format(task="TASK", up="../"))
    return _joined(parts)


def task_page(board: Board) -> str:
    """Return the page of one task: its tracks, what the entries say, and what all of it means."""
    task = board.task
    parts = [MARK, f"# {escape(task.name)}", _about(board), _facts(board)]
    for track in board.tracks:
        parts += [f"## {track_name(track.limit)}", _standings(track)]
        if track.apart:
            parts += ["Not ranked:", _table(_COLUMNS, track.apart)]
    parts.append(_TASK_LEGEND.format(metric=f"`{task.metric}`", budget=task.budget))
    parts += ["## Entries", *(_entry(entry) for entry in board.entries)]
    parts.append(_SUBMIT.format(task=task.name, up="../../"))
    return _joined(parts)


def track_name(limit: int | None) -> str:
    """Return the name of a track."""
    if limit is None:
        return "Any number of compilations"
    return f"At most {limit:,} compilations" if limit else "No additional compilation"


def rank_text(standing: Standing) -> str:
    """Return the rank, with ``=`` if it is shared."""
    return f"{'=' if standing.tied else ''}{standing.rank}"


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _about(board: Board) -> str:
    text = escape(board.task.description)
    size = f"{len(board.programs):,} programs, {len(board.entries):,} entries."
    return f"{text} {size}".strip()


def _facts(board: Board) -> str:
    task = board.task
    facts = {
        "Programs": task.dataset or "listed in the task",
        "Action set": task.action_set,
        "Metric": task.metric,
        "Budget of the task": f"{task.budget:,}",
        "Repetitions": f"{task.repetitions:,}",
        "Hash": task.sha256,
    }
    return _listed(facts)


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {what}: {escape(said)}" for what, said in facts.items())


def _bests(tracks: Sequence[Track]) -> str:
    """Return the table of the best of each track: all who share its first rank."""
    shown = (_OVER, _INTERVAL, _SPENT)
    headings = ("Track", "Best", *(column.heading for column in shown))
    lines = []
    for track in tracks:
        first = [standing for standing in track.standings if standing.rank == 1]
        names = ", ".join(_name(standing.card) for standing in first) or "nobody yet"
        cells = [column.cell(first[0]) if first else "-" for column in shown]
        lines.append((track_name(track.limit), names, *cells))
    return table(headings, lines, (False, False, True, True, True))


def _standings(track: Track) -> str:
    return _table((_RANK, *_COLUMNS), track.standings) if track.standings else "Nobody yet."


def _table(columns: Sequence[_Column], standings: Sequence[Standing]) -> str:
    lines = [[column.cell(standing) for column in columns] for standing in standings]
    return table([column.heading for column in columns], lines, [c.numeric for c in columns])


def _name(card: Card) -> str:
    return escape(f"{card.agent} {card.version}")


def _agent(card: Card) -> str:
    """Return the name of an agent, as a link to what its card says."""
    return link(f"{card.agent} {card.version}", f"#{_anchor(card)}")


def _anchor(card: Card) -> str:
    """Return a place that links can go to, of letters, digits and ``._+-`` only."""
    return "entry-" + re.sub(r"[^A-Za-z0-9._+-]", "-", card.folder)


def _backup(standing: Standing) -> float | None:
    backup = standing.row.with_backup
    return None if backup is None else backup.overall_improvement


def _entry(entry: Entry) -> str:
    """Return what an entry says about itself."""
    card = entry.card
    budgets = ", ".join(f"{run.budget:,}" for run in entry.runs)
    lines = [
        f'<a id="{_anchor(card)}"></a>',
        f"### {_name(card)}",
        escape(card.description),
        "\n".join(f"- {what}: {said}" for what, said in _said(card)) + f"\n- Budgets: {budgets}",
        code_block(card.command),
    ]
    return _joined(lines)


def _said(card: Card) -> Iterator[tuple[str, str]]:
    yield "Kind", escape(card.kind)
    yield "Authors", escape(", ".join(card.authors))
    for what, said in (("Code", card.code), ("Model", card.model), ("Paper", card.paper)):
        if said:
            yield what, link(said, said) if is_address(said) else escape(said)
    yield "Learnt from", escape(", ".join(card.trained_on)) or "nothing"
    yield "Compilations in training", f"{card.training_compilations:,}"
    yield "Hardware", escape(card.hardware)
    yield "Seeds", ", ".join(map(str, card.seeds))
    yield "Licence", escape(card.licence)
