"""Shrinks the pass lists on which ways differ.

For each list it also says whether opt agrees with itself.

    python tests/fuzz/reduce.py runs/determinism.jsonl
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from determinism import Row, read_rows
from processes import REFERENCE, Bench, differing
from ways import Names, Outcome

from llmopt_bench import load_program

TRIES = 4
"""Runs of a list before it counts as one on which all ways agree."""
RUNS_OF_OPT = 20


@dataclass(frozen=True, slots=True)
class Reduced:
    """The least of a pass list on which ways still differ."""

    row: Row
    passes: tuple[str, ...]
    reference: Counter[Outcome]
    """What many runs of the reference gave."""

    @property
    def culprit(self) -> str:
        """The last pass: without it there is no difference."""
        return self.passes[-1]

    def __str__(self) -> str:
        codes = len(self.reference)
        who = f"opt gives {codes} codes in {self.reference.total()} runs" if codes > 1 else "core"
        ways = ",".join(self.row.differing)
        return f"{self.row.index} [{ways}] {self.row.program}: {','.join(self.passes)} ({who})"


def shrink(names: Names, fails: Callable[[Names], bool]) -> tuple[str, ...]:
    """Return a list that still fails, but not without any one of its passes."""
    kept = tuple(names)
    size = max(len(kept) // 2, 1)
    while size:
        place = 0
        while place < len(kept):
            shorter = kept[:place] + kept[place + size :]
            if shorter and fails(shorter):
                kept = shorter
            else:
                place += size
        size //= 2
    return kept


def reduce_row(row: Row) -> Reduced | None:
    """Return the reduced list; None when its ways agree now, time and again."""
    program = load_program(row.program)
    with Bench((REFERENCE, *row.differing)) as bench:

        def differs(names: Names) -> bool:
            runs = (bench.run(program, names) for _ in range(TRIES))
            return any(differing(outcomes) for outcomes in runs)

        if not differs(row.passes):
            return None
        passes = shrink(row.passes, differs)
    with Bench((REFERENCE,)) as bench:
        runs = [bench.run(program, passes)[REFERENCE] for _ in range(RUNS_OF_OPT)]
    return Reduced(row, passes, Counter(runs))


def report(rows: Sequence[Row]) -> str:
    """Return a line for each differing list, then how often each pass was the culprit."""
    lines, culprits = [], Counter[str]()
    for row in rows:
        reduced = reduce_row(row)
        if reduced is None:
            lines.append(f"{row.index} {row.program}: all agree in {TRIES} new runs")
            continue
        lines.append(str(reduced))
        culprits[reduced.culprit] += 1
    return "\n".join([*lines, *(f"{n} x {name}" for name, n in culprits.most_common())])


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", type=Path, help="what determinism.py wrote")
    found = read_rows(parser.parse_args().file)
    sys.stdout.write(report([row for row in found if row.differing]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
