"""Says how much one entry of a leaderboard is above another, on the same programs.

    python docs/experiments/compare_entries.py leaderboards/corpus-functions-v1 llm-2 tuner-2 10 30

The interval is the bootstrap interval of the difference by which boards share ranks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from llmopt_bench import Record, read_records
from llmopt_bench.formulas import difference_interval, overall_improvement
from llmopt_bench.score import program_totals


def totals(entry: Path, budget: int) -> dict[str, tuple[int, int]]:
    """Return -Oz and the result of each program, of the run with a budget."""
    records: list[Record] = [one for one in read_records(entry) if one.budget == budget]
    if not records:
        raise SystemExit(f"error: {entry} has no run with {budget} compilations.")
    return program_totals(records)


def main() -> None:
    """Print a line for each budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("board", type=Path)
    parser.add_argument("first", help="entry: AGENT-VERSION")
    parser.add_argument("second")
    parser.add_argument("budgets", type=int, nargs="+")
    given = parser.parse_args()
    for budget in given.budgets:
        both = [totals(given.board / name, budget) for name in (given.first, given.second)]
        scores = [overall_improvement(*zip(*one.values(), strict=True)) for one in both]
        low, high = difference_interval(*both)
        sys.stdout.write(
            f"{budget}: {given.first} {scores[0]:+.2%}, {given.second} {scores[1]:+.2%}, "
            f"difference {scores[0] - scores[1]:+.2%} ({low:+.2%} to {high:+.2%})\n"
        )


if __name__ == "__main__":
    main()
