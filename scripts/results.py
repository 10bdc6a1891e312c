"""Keep the table of the README at the records in docs/results/.

python scripts/results.py publish runs/functions-v1   # records of a run -> docs/results/
python scripts/results.py readme [--check]            # docs/results/ -> README.md
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections import defaultdict
from pathlib import Path

from llmopt_bench import read_records, score_table
from llmopt_bench.report import markdown_rows

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"
TASK = "functions-v1"
START, END = "<!-- table: make readme -->\n", "<!-- end of table -->\n"


def publish(run: Path) -> None:
    """Write the records of a run to docs/results/, one file for each agent."""
    lines = defaultdict(list)
    for record in read_records(run):
        lines[record.task, record.agent].append(record.to_json())
    for (task, agent), texts in lines.items():
        folder = RESULTS / task
        folder.mkdir(parents=True, exist_ok=True)
        # No time stamp, sorted lines: the same records are the same file.
        data = gzip.compress("".join(f"{text}\n" for text in sorted(texts)).encode(), mtime=0)
        (folder / f"{agent}.jsonl.gz").write_bytes(data)


def render() -> str:
    """Return the README with the table of the records."""
    text = README.read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    table = markdown_rows(score_table(read_records(RESULTS / TASK)))
    return f"{before}{START}{table}{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("publish").add_argument("run", type=Path)
    commands.add_parser("readme").add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    if options.command == "publish":
        publish(options.run)
    elif not options.check:
        README.write_text(render(), "utf-8")
    elif render() != README.read_text("utf-8"):
        sys.stderr.write("README.md is not what the records say. Run: make readme\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
