"""Runs the 50 pass lists of Coreset-NVP on LLVM 10 and on LLVM 22, and compares what they gain.

    python docs/experiments/coreset_transfer.py PROGRAMS [--counts FILE.json]

PROGRAMS are files of LLVM 10's bitcode, or folders of them (`llvm10_programs.py` makes one). Each
compiler gets the same files and is compared with its own -Oz:

- LLVM 10 is CompilerGym 0.2.5, whose `IrInstructionCountOz` is the -Oz;
- "LLVM 10, kept flags" is the same, without the flags that have no counterpart in LLVM 22;
- LLVM 22 is this library with `compiler-gym-llvm22-v1`, without these flags too, and clang's -Oz.

Every list starts from the unoptimised program, and instructions are counted after each flag. A list
on which a compiler fails ends there: as a whole it counts as -Oz, which one would fall back on, and
is no program's best; the counts before the failure stay. Takes five to ten minutes for 77 programs.
The tables go to stdout, in Markdown. With --counts, what was counted is kept, or taken from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import Session, make_action_set
from llmopt_bench.compiler_gym_actions import ACTION_SET, flag_mapping
from llmopt_bench.errors import CompilerError, CompilerKilled, LlmoptError
from llmopt_bench.markdown import table

LISTS = Path(__file__).with_name("rlcompopt_coreset.txt")
BUDGET = 45
"""Passes of "Top-45", as in the paper (arXiv 2301.05104)."""
OLD, SAME, NEW = "LLVM 10", "LLVM 10, kept flags", "LLVM 22"
BETTER_HALF = 25

Numbers = NDArray[np.float64]
Lists = list[list[str]]


class Compiler(NamedTuple):
    """A compiler, and what it runs for each flag; flags that are absent are left out."""

    action_set: str
    actions: Mapping[str, str]


class Seen(NamedTuple):
    """Instructions of one program: unoptimised, with -Oz, and after each flag of each list."""

    o0: int
    oz: int
    walks: list[list[int]]
    """A walk begins with ``o0``; one that failed is shorter than its list."""


class Sizes(NamedTuple):
    """Instructions of all programs (rows), most of them for each list (columns)."""

    o0: Numbers
    oz: Numbers
    ends: Numbers
    """After the whole list; infinite where the compiler failed."""
    best: Numbers
    """After the best prefix, which may be that of no flag."""
    top: Numbers
    """The best prefix of lists 1, 2, ... until there are ``BUDGET`` flags."""


def read_lists(path: Path = LISTS) -> Lists:
    """Return lists of flags from a file with one on a line."""
    lines = path.read_text("utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def compilers() -> dict[str, Compiler]:
    """Return what is compared, by name."""
    kept = {entry.flag: entry.action for entry in flag_mapping() if entry.action is not None}
    return {
        OLD: Compiler("compiler-gym-v0", {entry.flag: entry.flag for entry in flag_mapping()}),
        SAME: Compiler("compiler-gym-v0", {flag: flag for flag in kept}),
        NEW: Compiler(ACTION_SET, kept),
    }


def walk(session: Session, actions: Sequence[str | None]) -> list[int]:
    """Return the instructions at first and after each action; None changes nothing."""
    session.reset()
    counts = [session.initial()]
    for action in actions:
        if action is None:
            counts.append(counts[-1])
            continue
        try:
            counts.append(session.step(session.action_set.pipeline_of(action))[1])
        except CompilerKilled:  # by somebody else: no fault of the list
            raise
        except CompilerError:
            break
    return counts


def measure_all(programs: Sequence[Path], lists: Lists) -> dict[str, list[Seen]]:
    """Run every list on every program with every compiler."""
    found: dict[str, list[Seen]] = {name: [] for name in compilers()}
    for number, program in enumerate(programs, 1):
        for name, (action_set, actions) in compilers().items():
            session = Session(program, action_set=make_action_set(action_set))
            walks = [walk(session, [actions.get(flag) for flag in one]) for one in lists]
            found[name].append(Seen(session.initial(), session.reference("Oz"), walks))
        sys.stderr.write(f"{number}/{len(programs)} {program.stem}\n")
    return found


def sizes(seen: Sequence[Seen], lists: Lists) -> Sizes:
    """Return what came out of every list."""
    ends = [
        [walk[-1] if len(walk) > len(one) else np.inf for walk, one in _pairs(program, lists)]
        for program in seen
    ]
    return Sizes(
        np.array([program.o0 for program in seen], float),
        np.array([program.oz for program in seen], float),
        np.array(ends, float),
        np.array([[min(walk) for walk in program.walks] for program in seen], float),
        np.array([_top(program, lists) for program in seen], float),
    )


def _pairs(program: Seen, lists: Lists) -> list[tuple[list[int], list[str]]]:
    return list(zip(program.walks, lists, strict=True))


def _top(program: Seen, lists: Lists) -> int:
    """Return the least count within the first flags, each list begun anew, dropped flags too."""
    left, counts = BUDGET, [program.o0]
    for walk, one in _pairs(program, lists):
        counts += walk[: left + 1]
        left -= len(one)
        if left <= 0:
            break
    return min(counts)


def gains(new: Numbers, oz: Numbers) -> tuple[float, float, float]:
    """Return what is gained over -Oz: in sum, in the mean of programs, and as geomean of Oz/new."""
    overall, mean = 1 - new.sum() / oz.sum(), np.mean(1 - new / oz)
    return float(overall), float(mean), float(np.exp(np.mean(np.log(oz / new))))


def whole(found: Sizes) -> Numbers:
    """Return what the whole lists count as: -Oz where the compiler failed."""
    return np.where(np.isinf(found.ends), found.oz[:, None], found.ends)


def of_each_list(found: Sizes) -> Numbers:
    """Return the overall gain of each whole list."""
    return np.asarray(1 - whole(found).sum(axis=0) / found.oz.sum())


def methods(found: Sizes) -> dict[str, Numbers]:
    """Return what each way to use the lists makes of the programs."""
    oracle = found.best.min(axis=1)
    return {
        "unoptimised": found.o0,
        "-Oz": found.oz,
        "list 1": whole(found)[:, 0],
        f"Top-{BUDGET}": found.top,
        "oracle": oracle,
        "oracle or -Oz": np.minimum(oracle, found.oz),
    }


def ranks(values: Numbers) -> Numbers:
    """Return ranks from 0; equal values share the mean of theirs."""
    below = (values[:, None] > values).sum(axis=1)
    return np.asarray(below + ((values[:, None] == values).sum(axis=1) - 1) / 2)


def correlation(a: Numbers, b: Numbers) -> float:
    """Return Pearson's correlation."""
    return float(np.corrcoef(a, b)[0, 1])


def percent(share: float, sign: str = "+") -> str:
    """Return a share of 1 as text; "-" as ``sign`` for no plus."""
    return f"{100 * share:{sign}.1f} %"


def summary(found: Mapping[str, Sizes]) -> str:
    """Return the table of what is gained over each compiler's -Oz."""
    lines = []
    for name, its in found.items():
        for method, new in methods(its).items():
            overall, mean, geomean = gains(new, its.oz)
            cells = [f"{new.sum():,.0f}", percent(overall), percent(mean), f"{geomean:.3f}"]
            lines.append([name, method, *cells, str(np.sum(new < its.oz))])
    headings = ["compiler", "", "instructions", "overall", "mean", "geomean of Oz/new", "smaller"]
    return table(headings, lines, [False, False, *[True] * 5])


def facts(a: Sizes, b: Sizes) -> dict[str, str]:
    """Return how gains on one compiler go with gains on another."""
    one, other = of_each_list(a), of_each_list(b)
    better = np.argsort(-one, kind="stable")[:BETTER_HALF]
    firsts = [set(np.argsort(-its, kind="stable")[:10].tolist()) for its in (one, other)]
    sides = [np.sign(its.oz[:, None] - whole(its)) for its in (a, b)]
    smaller = [sides[0] > 0, sides[1] > 0, (sides[0] > 0) & (sides[1] > 0)]
    chosen = whole(b)[np.arange(len(b.oz)), a.ends.argmin(axis=1)]
    return {
        "Spearman, all lists": f"{correlation(ranks(one), ranks(other)):.2f}",
        "Pearson, all lists": f"{correlation(one, other):.2f}",
        f"Spearman, the {BETTER_HALF} lists that gain most on the first": (
            f"{correlation(ranks(one[better]), ranks(other[better])):.2f}"
        ),
        "best list on the first, on the second": ", ".join(
            f"{its.argmax() + 1} ({percent(its.max())})" for its in (one, other)
        ),
        "lists that are among the ten best on both": str(len(firsts[0] & firsts[1])),
        "runs on the same side of -Oz": percent(float(np.mean(sides[0] == sides[1])), "-"),
        "runs smaller than -Oz: on the first, on the second, on both": ", ".join(
            percent(float(np.mean(runs)), "-") for runs in smaller
        ),
        "each program's best list on the first, run on the second": percent(gains(chosen, b.oz)[0]),
        "each program's best list on the second": percent(gains(b.ends.min(axis=1), b.oz)[0]),
    }


def transfer(found: Mapping[str, Sizes]) -> str:
    """Return the table of facts for each two compilers, the older first."""
    pairs = {f"{a} → {b}": facts(found[a], found[b]) for a, b in combinations(found, 2)}
    first = next(iter(pairs.values()))
    lines = [[fact, *(of_pair[fact] for of_pair in pairs.values())] for fact in first]
    return table(["", *pairs], lines, [False, *(True for _ in pairs)])


def each_list(found: Mapping[str, Sizes], lists: Lists) -> str:
    """Return the table of the lists."""
    columns = [of_each_list(its) for its in found.values()]
    kept = compilers()[NEW].actions
    lines = []
    for number, one in enumerate(lists):
        counts = [str(len(one)), str(sum(flag in kept for flag in one))]
        gained = [percent(float(column[number])) for column in columns]
        lines.append([str(number + 1), *counts, *gained])
    headings = ["list", "flags", "with a counterpart", *found]
    return table(headings, lines, [True] * len(headings))


def remarks(found: Mapping[str, Sequence[Seen]], lists: Lists) -> str:
    """Return the flags without a counterpart, and the failures, in words."""
    kept = compilers()[NEW].actions
    flags = [flag for one in lists for flag in one]
    dropped = Counter(flag for flag in flags if flag not in kept)
    named = ", ".join(f"`{flag}` {count}" for flag, count in dropped.most_common())
    share = percent(dropped.total() / len(flags), "-")
    said = [f"{dropped.total()} of {len(flags)} flags ({share}) have no counterpart: {named}."]
    for name, seen in found.items():
        failed = failures(seen, lists)
        where = "".join(f"; {place}: {count}" for place, count in failed.items())
        pairs = len(seen) * len(lists)
        said.append(f"{name} failed on {failed.total()} of {pairs:,} runs{where}.")
    return "\n".join(said) + "\n"


def failures(seen: Sequence[Seen], lists: Lists) -> Counter[str]:
    """Return at which flags of which lists a compiler failed, and on how many programs."""
    return Counter(
        f"list {number} at `{one[len(walk) - 1]}`"
        for program in seen
        for number, (walk, one) in enumerate(_pairs(program, lists), 1)
        if len(walk) <= len(one)
    )


def report(found: Mapping[str, Sequence[Seen]], lists: Lists) -> str:
    """Return all tables."""
    its = {name: sizes(seen, lists) for name, seen in found.items()}
    return "\n".join([summary(its), transfer(its), each_list(its, lists), remarks(found, lists)])


def main() -> None:
    """Measure, unless that was done, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=Path, nargs="+", help="bitcode of LLVM 10, or folders")
    parser.add_argument("--counts", type=Path, help="where the counts are, or are to be kept")
    given = parser.parse_args()
    lists = read_lists()
    if given.counts is not None and given.counts.exists():
        kept = json.loads(given.counts.read_text("utf-8"))
        found = {name: [Seen(*program) for program in seen] for name, seen in kept.items()}
    else:
        places = [sorted(path.glob("*.bc")) if path.is_dir() else [path] for path in given.programs]
        files = list(chain.from_iterable(places))
        if not files:
            parser.error("expected bitcode of LLVM 10, got none. llvm10_programs.py makes it.")
        try:
            found = measure_all(files, lists)
        except LlmoptError as error:
            raise SystemExit(f"error: {error}") from error
        if given.counts is not None:
            given.counts.write_text(json.dumps(found), "utf-8")
    sys.stdout.write(report(found, lists))


if __name__ == "__main__":
    main()
