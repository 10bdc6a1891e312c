"""Submit this repository's own agents, and keep the tables of the README at the leaderboards.

python scripts/results.py submit runs/functions-v1   # records of runs -> leaderboards/
python scripts/results.py readme [--check]           # leaderboards/ -> README.md

Our agents come in by the door that everybody uses, `llmopt-bench submit`, which replays every
record. Their cards are put together from scripts/cards.toml, and from what the records say. That
file has a table [all], of what all cards have in common, and one for each agent, by its name. An
entry that is there is made anew: of its records and the new ones, which take the place of those of
the same run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

from llmopt_bench import Record, make_task, read_records
from llmopt_bench.board import make_board
from llmopt_bench.card import Card
from llmopt_bench.card_template import card_template
from llmopt_bench.entries import read_entries
from llmopt_bench.errors import BadCard
from llmopt_bench.markdown import table
from llmopt_bench.record import RecordKey
from llmopt_bench.report import markdown_rows, percent
from llmopt_bench.score import Row, score_table

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CARDS = ROOT / "scripts" / "cards.toml"
LEADERBOARDS = ROOT / "leaderboards"
TASK = "functions-v1"
START, END = "<!-- table: make readme -->\n", "<!-- end of table -->\n"
PAPER_START = "<!-- table beside the paper: make readme -->\n"
PAPER_TASK = "corpus-functions-v1"
PAPER_ENTRIES = ("autophase-1", "autotuner-1", "coreset-nvp-1", "llm-2", "llm-careful-1", "tuner-2")
PAPER = {
    ("autotuner", 10): ("+5.03 %, with 25,222", ""),
    ("llm", 0): ("+3.01 %", "+3.52 %"),
    ("coreset-nvp", 50): ("-1.88 %, with 4.4", "+2.55 %"),
    ("autophase", 50): ("-3.85 %", "+1.02 %"),
}
"""What arXiv 2309.07062 says, Tables III and IV, of what an agent does with a budget here."""


def submit(paths: list[Path]) -> int:
    """Submit every agent that has records in files or folders; return the last bad exit code."""
    table = tomllib.loads(CARDS.read_text("utf-8"))
    found: dict[Path, dict[RecordKey, Record]] = defaultdict(dict)
    for path in paths:
        for record in read_records(path):
            folder = LEADERBOARDS / record.task / f"{record.agent}-{record.agent_version}"
            if folder not in found and folder.exists():
                found[folder] = {old.key: old for old in read_records(folder)}
            found[folder][record.key] = record
    entries = {folder: list(records.values()) for folder, records in sorted(found.items())}
    cards = {folder: card_of(records, table) for folder, records in entries.items()}
    code = 0
    for folder, card in cards.items():
        sys.stderr.write(f"{folder.relative_to(LEADERBOARDS)}: {len(entries[folder]):,} records\n")
        code = _submit_one(folder, entries[folder], card) or code
    return code


def card_of(records: list[Record], table: dict[str, Any]) -> Card:
    """Return the card of the agent that made some records.

    Raises:
        BadCard: Something has to be said about it in scripts/cards.toml.
    """
    agent = records[0].agent
    said = tomllib.loads(card_template(records))
    try:
        return Card(**(said | table.get("all", {}) | table.get(agent, {})))
    except (BadCard, TypeError) as error:
        raise BadCard(f"[{agent}] or [all] of {CARDS.name}: {error}") from error


def _submit_one(entry: Path, records: list[Record], card: Card) -> int:
    before = entry.with_name(f".{entry.name}.before")  # boards pass over hidden folders
    if entry.exists():
        entry.rename(before)
    with tempfile.TemporaryDirectory() as folder:
        run, file = Path(folder) / "records.jsonl", Path(folder) / "card.toml"
        run.write_text("".join(f"{record.to_json()}\n" for record in records), "utf-8")
        file.write_text(card.to_toml(), "utf-8")
        command = [sys.executable, "-m", "llmopt_bench", "submit", str(run), "--card", str(file)]
        try:
            code = subprocess.run([*command, "--to", str(LEADERBOARDS)]).returncode
        finally:
            if before.exists():
                if entry.exists():
                    shutil.rmtree(before)
                else:
                    before.rename(entry)
    return code


def render() -> str:
    """Return the README with the best run of each agent, and ours beside the paper's."""
    task = make_task(TASK)
    board = make_board(task, read_entries(LEADERBOARDS / TASK, task))
    rows = [standing.row for standing in board.tracks[-1].standings]
    text = _with_table(README.read_text("utf-8"), START, markdown_rows(rows))
    return _with_table(text, PAPER_START, _beside_the_paper())


def _with_table(text: str, start: str, lines: str) -> str:
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(END)
    return f"{before}{start}{lines}{END}{after}"


def _beside_the_paper() -> str:
    folder = LEADERBOARDS / PAPER_TASK
    rows = score_table(record for name in PAPER_ENTRIES for record in read_records(folder / name))
    headings = ["Agent", "Compilations each", "Improved", "Regressed", "Over -Oz"]
    headings += ["With backup", "The paper's", "With backup"]
    lines = [_line_beside_the_paper(row) for row in rows]
    return table(headings, lines, [False, *(True for _ in headings[1:])])


def _line_beside_the_paper(row: Row) -> list[str]:
    backup = row.with_backup and row.with_backup.overall_improvement
    return [
        f"{row.agent} {row.agent_version}",
        f"{row.additional_compilations / row.runs:,.1f}",
        f"{row.improved:,}",
        f"{row.regressed:,}",
        percent(row.overall_improvement),
        percent(backup),
        *PAPER.get((row.agent, row.budget), ("", "")),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("submit").add_argument("runs", type=Path, nargs="+")
    commands.add_parser("readme").add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    if options.command == "submit":
        try:
            return submit(options.runs)
        except BadCard as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
    if not options.check:
        README.write_text(render(), "utf-8")
    elif render() != README.read_text("utf-8"):
        sys.stderr.write("README.md is not what the records say. Run: make readme\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
