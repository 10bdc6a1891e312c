"""Runs random pass lists in several ways and processes, and tells where they do not agree.

    python tests/fuzz/determinism.py --out runs/determinism.jsonl --lists 20000 --seed 1

Each list becomes one line of the JSONL file. A run that was stopped goes on where it was when it is
started again with the same arguments; ``--summary`` only reads. ``ways.py`` has the ways.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from processes import REFERENCE, Bench, differing
from ways import Outcome

from llmopt_bench import Session, load_program, make_action_set
from llmopt_bench.datasets import make_dataset
from llmopt_bench.errors import LlmoptError
from llmopt_bench.program import Program

T = TypeVar("T")
PIPELINES = ("default<", "function-simplification<", "scc-oz-module-inliner")
"""How the names of whole pipelines begin, but for the written-out ones."""
MOST_PIPELINES = 2
"""A list has at most so many whole pipelines: each costs as much as a hundred passes."""
SIZES = range(5, 3001)
"""Instructions of the modules that take part."""


@dataclass(frozen=True, slots=True)
class Row:
    """One pass list and what became of it: a line of the JSONL file."""

    index: int
    program: str
    passes: tuple[str, ...]
    outcomes: dict[str, Outcome]

    @property
    def differing(self) -> tuple[str, ...]:
        """The ways that do not agree with the reference."""
        return differing(self.outcomes)

    @property
    def verdict(self) -> str:
        """``same``, ``differs``, ``opt fails``, or ``untyped`` for a failure without an error."""
        if self.differing:
            return "differs"
        errors = [outcome.error for way, outcome in self.outcomes.items() if way != REFERENCE]
        if any(error.startswith(("process ended", "not of the library")) for error in errors):
            return "untyped"
        return "opt fails" if self.outcomes[REFERENCE].error else "same"

    def to_json(self) -> str:
        """Return the line; where all agree, one outcome stands for all."""
        outcomes = {way: asdict(outcome) for way, outcome in self.outcomes.items()}
        if self.verdict == "same":
            outcomes = dict(list(outcomes.items())[:1])
        fields = {"index": self.index, "program": self.program, "passes": self.passes}
        return json.dumps(fields | {"verdict": self.verdict, "outcomes": outcomes})

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Return the row that ``to_json`` wrote."""
        data: dict[str, Any] = json.loads(line)
        outcomes = {way: Outcome(**fields) for way, fields in data["outcomes"].items()}
        return cls(data["index"], data["program"], tuple(data["passes"]), outcomes)


def draw_list(rng: random.Random) -> tuple[str, ...]:
    """Return 1 to 20 actions, most often about 12, as ``passes-v1`` weighs them: all alike."""
    actions = make_action_set()
    pipelines = {a.name for a in actions if a.composite or a.name.startswith(PIPELINES)}
    names = [rng.choice(actions.names) for _ in range(round(rng.triangular(1, 20, 12)))]
    surplus = [place for place, name in enumerate(names) if name in pipelines][MOST_PIPELINES:]
    return tuple(name for place, name in enumerate(names) if place not in surplus)


def draw(seed: int, index: int, programs: Sequence[T]) -> tuple[T, tuple[str, ...]]:
    """Return the program and the pass list of a number; every program comes up equally often."""
    rng = random.Random(f"{seed}/{index}")
    return programs[index % len(programs)], draw_list(rng)


def corpus(
    bundled: int, functions: int, csmith: int = 0, files: Iterable[Path] = ()
) -> list[Program]:
    """Return the programs that take part, in an order mixed once and for all.

    Args:
        bundled: How many of the bundled programs.
        functions: How many of their functions.
        csmith: How many Csmith programs.
        files: Sources, IR text or bitcode.
    """
    rng = random.Random("corpus")
    uris: list[str] = []
    for name, number in (("bundled-v1", bundled), ("bundled-functions-v1", functions)):
        known = list(make_dataset(name).uris())
        uris += rng.sample(known, min(number, len(known)))
    uris += [f"csmith-v0/{seed}" for seed in range(csmith)]
    uris += [path.absolute().as_uri() for path in files]
    programs = [program for uri in uris if (program := _load(uri))]
    rng.shuffle(programs)
    return programs


def _load(uri: str) -> Program | None:
    """Return the program; None if it does not compile or is not of the right size."""
    try:
        program = load_program(uri)
        return program if Session(program).instruction_count in SIZES else None
    except LlmoptError:
        return None


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file; a last line that was cut off is left out."""
    if not path.exists():
        return []
    return [Row.from_json(line) for line in _whole_lines(path.read_text("utf-8"))]


def _whole_lines(text: str) -> list[str]:
    return text.splitlines()[: text.count("\n")]


def rows(
    programs: Sequence[Program], indices: Iterable[int], seed: int, jobs: int = 1
) -> Iterator[Row]:
    """Run pass lists, ``jobs`` at a time, and yield what became of them."""
    own = threading.local()
    benches: list[Bench] = []

    def run(index: int) -> Row:
        if not hasattr(own, "bench"):
            own.bench = Bench()
            benches.append(own.bench)
        program, names = draw(seed, index, programs)
        return Row(index, program.uri, names, own.bench.run(program, names))

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(run, indices)
        finally:
            for bench in benches:
                bench.__exit__()


def run_to_file(
    path: Path, programs: Sequence[Program], lists: int, seed: int, jobs: int = 1
) -> list[Row]:
    """Run those of the first ``lists`` pass lists that the file lacks; return all its rows."""
    known = {row.index for row in read_rows(path)}
    missing = [index for index in range(lists) if index not in known]
    if path.exists():
        path.write_text("".join(f"{line}\n" for line in _whole_lines(path.read_text("utf-8"))))
    with path.open("a", encoding="utf-8", buffering=1) as out:
        for row in rows(programs, missing, seed, jobs):
            out.write(row.to_json() + "\n")
    return read_rows(path)


def summary(found: Sequence[Row]) -> str:
    """Return the counts of verdicts, and a line for each list that is not ``same``."""
    counts = Counter(row.verdict for row in found)
    head = f"{len(found)} lists on {len({row.program for row in found})} programs: "
    lines = [head + ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())]
    for row in found:
        if row.verdict != "same":
            ways = ",".join(row.differing) or row.outcomes[REFERENCE].error
            passes = ",".join(row.passes)
            lines.append(f"{row.index}: {row.verdict} [{ways}] {row.program} {passes}")
    return "\n".join(lines)


def main() -> int:
    """Run from the command line; 1 if any list differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--bundled", type=int, default=77)
    parser.add_argument("--functions", type=int, default=250)
    parser.add_argument("--csmith", type=int, default=150)
    parser.add_argument("--files", type=Path, nargs="*", default=[])
    parser.add_argument("--summary", action="store_true", help="only read what is there")
    arguments = parser.parse_args()
    if arguments.summary:
        found = read_rows(arguments.out)
    else:
        numbers = (arguments.bundled, arguments.functions, arguments.csmith)
        programs = corpus(*numbers, sorted(arguments.files))
        run = (arguments.lists, arguments.seed, arguments.jobs)
        found = run_to_file(arguments.out, programs, *run)
    sys.stdout.write(summary(found) + "\n")
    return int(any(row.verdict in ("differs", "untyped") for row in found))


if __name__ == "__main__":
    sys.exit(main())
