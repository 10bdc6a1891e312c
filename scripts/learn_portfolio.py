"""Learn pass lists that complement each other, from functions of the train split.

Each list is found by local search on a sample: mutants of the best four lists so far are compiled
for the functions, and take their place if they do better. What counts is what a list saves beyond
all lists before it, so that each serves functions that the others do not; the first one, with
``--alone``, also pays for what it loses against -Oz, and by ``--worse`` for each function that gets
worse. No two lists begin with the same action, so that a model that names one of them decides with
the first action. This is the idea of Hydra (Xu, Hoos and Leyton-Brown, AAAI 2010), which makes
portfolios of solvers.

Functions are drawn with probabilities in proportion to their instructions, and weigh the inverse,
so that the sum over the sample stands for that over the split. A mutant that falls behind on the
first functions is not tried on the others.

    python scripts/learn_portfolio.py OUT.json --simple
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from llmopt_bench.agents.search.coreset import Coreset, load_coreset
from llmopt_bench.agents.search.mutation import Mutation
from llmopt_bench.agents.search.niche import is_pipeline
from numpy.typing import NDArray
from pyarrow import parquet

from llmopt_bench import PassList, Session, make_action_set, make_dataset

FAILED = 2**40
MOST_SAVED = 0.25
"""More than this share of a function counts no more, lest a list be chosen for a few functions."""
BLOCK = 40
"""Functions between two looks at whether a mutant is still worth it."""
BATCH = 8
LINEAGES = 4
STARTS = 48
SLACK = 0.2
"""How far, as a share of the parent's whole gain, a mutant may fall behind at first."""

Lists = list[PassList]
Numbers = NDArray[np.float64]


def measured(uri: str, lists: Lists) -> tuple[int, int, list[int]]:
    """Return the instructions of a function: unoptimised, with -Oz, and with each list."""
    session = Session(uri)
    return *_references(session), _sizes(session, lists)


def _sizes(session: Session, lists: Lists) -> list[int]:
    return session.evaluate(lists, failure=FAILED)


def _references(session: Session) -> tuple[int, int]:
    return session.initial(), session.reference("Oz")


def draw(
    dataset: str, count: int, most: int, rng: np.random.Generator, least: int = 0
) -> list[str]:
    """Return functions of a dataset of so many instructions, drawn by these."""
    functions = make_dataset(dataset)
    columns = ["uri", "instructions_o0"]
    rows = parquet.read_table(functions.table, columns=columns).to_pydict()  # type: ignore[attr-defined]
    sizes = dict(zip(rows["uri"], rows["instructions_o0"], strict=True))
    known = [(uri, sizes[uri.partition("/")[2]]) for uri in functions.uris()]
    known = [(uri, size) for uri, size in known if least <= size <= most]
    chances = np.array([size for _, size in known], float)
    places = rng.choice(len(known), count, replace=False, p=chances / chances.sum())
    return [known[place][0] for place in places]


@dataclass
class Runner:
    """A list, what it makes of the sample, and what it gains up to each block."""

    passes: PassList
    sizes: Numbers
    gains: Numbers

    @property
    def gain(self) -> float:
        """What it gains on the whole sample."""
        return float(self.gains[-1])


class Race:
    """Tries lists on the sample, and gives up early on those that fall behind.

    Sessions stay open, since mutants share most of their passes with lists that were tried before:
    ``Session.evaluate`` keeps the states between. That takes some 25 MB for each function.
    """

    def __init__(self, pool: ThreadPoolExecutor, uris: list[str], worse: int = 0) -> None:
        self._pool = pool
        self._worse = worse
        self._sessions = list(pool.map(Session, uris))
        initial, self.oz = np.array(list(pool.map(_references, self._sessions)), float).T
        self._weights = 1 / initial
        self._unit = (self.oz * self._weights).sum()
        self.floor: Numbers | None = None
        """What the lists so far make of the sample; None to count losses against -Oz too."""

    def run(self, lists: Lists, parent: Runner | None = None) -> list[Runner]:
        """Return the lists that came to the end."""
        alive = {number: (np.zeros(0), np.zeros(1)) for number in range(len(lists))}
        for start in range(0, len(self._sessions), BLOCK):
            block = slice(start, start + BLOCK)
            tried = partial(_sizes, lists=[lists[number] for number in alive])
            found = np.array(list(self._pool.map(tried, self._sessions[block])), float).T
            for (number, (sizes, gains)), column in zip(list(alive.items()), found, strict=True):
                gain = gains[-1] + self._gain(column, block)
                alive[number] = np.append(sizes, column), np.append(gains, gain)
            alive = {n: row for n, row in alive.items() if not self._lost(row[1], parent)}
        return [Runner(lists[number], *row) for number, row in alive.items()]

    def improvement(self, sizes: Numbers) -> float:
        """Return the improvement over -Oz that sizes of the sample stand for."""
        return float(self._unit / (sizes * self._weights).sum() - 1)

    def _gain(self, sizes: Numbers, block: slice) -> float:
        sizes = np.minimum(sizes, 3 * self.oz[block] + 10)  # one failure is not the end of a list
        weights = self._weights[block]
        if self.floor is not None:
            saved = np.maximum(self.floor[block] - sizes, 0)
            return float((saved * weights).sum() / self._unit)
        saved = self.oz[block] - np.maximum(sizes, (1 - MOST_SAVED) * self.oz[block])
        paid = self._worse * (sizes > self.oz[block])
        return float(((saved - paid) * weights).sum() / self._unit)

    def _lost(self, gains: Numbers, parent: Runner | None) -> bool:
        blocks = -(-len(self._sessions) // BLOCK)
        done = len(gains) - 1
        if parent is None or done == blocks:
            return False
        slack = SLACK * abs(parent.gain) * (1 - done / blocks) / done**0.5
        return bool(gains[-1] < parent.gains[done] - slack)


def search(
    race: Race,
    mutation: Mutation,
    starts: Lists,
    taken: Set[str],
    given: argparse.Namespace,
    keep: Callable[[Runner], None],
) -> Runner:
    """Return the list that gains most beyond those so far, with another first action.

    Args:
        race: Tries lists.
        mutation: Makes lists.
        starts: Lists to begin with.
        taken: First actions of the lists so far.
        given: The options of the command.
        keep: Told of the best list every few tries: a search that is broken off is not lost.
    """
    deadline = time.monotonic() + 60 * given.minutes
    rng = np.random.default_rng([given.seed, len(taken)])
    best: list[Runner] = []
    for place in range(0, len(starts), BATCH):
        best += race.run(starts[place : place + BATCH], best[-1] if len(best) == LINEAGES else None)
        best = sorted(best, key=lambda runner: -runner.gain)[:LINEAGES]
    seen = {runner.passes for runner in best}
    for number in range(0, given.tries, BATCH):
        if time.monotonic() > deadline:
            break
        place = min(int(rng.geometric(0.5)) - 1, len(best) - 1)
        parent, mutants = best[place], {}
        while len(mutants) < BATCH:
            passes, edits = mutation.mutate(parent.passes)
            if passes not in seen and passes and passes.names[0] not in taken:
                mutants[passes] = edits
                seen.add(passes)
        ended = {runner.passes: runner for runner in race.run(list(mutants), parent)}
        for passes, edits in mutants.items():
            gain = ended[passes].gain if passes in ended else -1.0
            mutation.learn(edits, better=gain > parent.gain)
            old = best[place]
            if (gain, -len(passes)) >= (old.gain, -len(old.passes)):
                best[place] = ended[passes]
        best.sort(key=lambda runner: -runner.gain)
        keep(best[0])
        print(f"  {number + BATCH} tries: {best[0].gain:+.3%}", file=sys.stderr, flush=True)
    return best[0]


def shorten(race: Race, best: Runner, taken: Set[str]) -> Runner:
    """Return a list without the passes that gain nothing, the last ones first."""
    for place in reversed(range(len(best.passes))):
        names = best.passes.names[:place] + best.passes.names[place + 1 :]
        if not names or names[0] in taken:
            continue
        for runner in race.run([PassList(names)], best):
            if runner.gain >= best.gain:
                best = runner
    return best


def material(simple: bool) -> tuple[Coreset, list[str]]:
    """Return what lists are made of: a coreset and names of actions."""
    actions = make_action_set()
    without = {a.name for a in actions.actions if is_pipeline(a)} if simple else set()
    names = [name for name in actions.names if name not in without]
    coreset = load_coreset(actions)
    kept = [PassList([n for n in one if n not in without], actions) for one in coreset.lists]
    lists = dict.fromkeys(one for one in kept if one)
    if simple:  # what most of -Oz needs first
        lists |= dict.fromkeys(PassList(["sroa<preserve-cfg>", *one], actions) for one in lists)
    return Coreset(tuple(lists), coreset.without(without).weights), names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--begin", type=Path, help="lists that are there already; else Oz")
    parser.add_argument("--starts", type=Path, help="lists to start from; else some of the coreset")
    parser.add_argument("--simple", action="store_true", help="lists without whole pipelines")
    parser.add_argument("--alone", action="store_true", help="the first list pays for its losses")
    parser.add_argument(
        "--worse",
        type=int,
        default=0,
        help="with --alone: how many instructions a function costs that gets worse than with -Oz",
    )
    parser.add_argument("--lists", type=int, default=8)
    parser.add_argument("--tries", type=int, default=320, help="mutants for each list")
    parser.add_argument("--minutes", type=float, default=math.inf, help="for each list")
    parser.add_argument("--functions", type=int, default=400)
    parser.add_argument("--least", type=int, default=0, help="instructions of a function")
    parser.add_argument("--most", type=int, default=1000, help="instructions of a function")
    parser.add_argument("--max-passes", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    rng = np.random.default_rng(given.seed)
    uris = draw("corpus-train-v1", given.functions, given.most, rng, given.least)
    coreset, names = material(given.simple)
    text = given.begin.read_text("utf-8") if given.begin else '[["Oz"]]'
    lists = [PassList(one) for one in json.loads(text)]
    starts = list(coreset.lists[:STARTS])
    if given.starts:
        starts = [PassList(one) for one in json.loads(given.starts.read_text("utf-8"))]
        coreset = Coreset((*coreset.lists, *starts), coreset.weights)

    def write(some: Lists) -> None:
        content = json.dumps([list(one) for one in some], indent=1) + "\n"
        given.out.write_text(content, "utf-8")

    with ThreadPoolExecutor(given.jobs) as pool:
        race = Race(pool, uris, given.worse)
        if not given.alone:
            race.floor = np.min([race.oz, *(runner.sizes for runner in race.run(lists))], axis=0)
        for number in range(given.lists):
            mutation = Mutation(coreset, names, given.max_passes, rng)
            taken = {passes.names[0] for passes in lists}
            free = [start for start in starts if start.names[0] not in taken]
            best = search(
                race, mutation, free, taken, given, lambda one: write([*lists, one.passes])
            )
            found = shorten(race, best, taken)
            lists.append(found.passes)
            floor = race.oz if race.floor is None else race.floor
            race.floor = np.minimum(floor, found.sizes)
            alone, all_of_them = race.improvement(found.sizes), race.improvement(race.floor)
            print(f"list {number + 1}: {alone:+.2%} alone, {all_of_them:+.2%} with those before it")
            write(lists)


if __name__ == "__main__":
    main()
