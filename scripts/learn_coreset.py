"""Learn the coreset of agents/search from labels of the train split.

Candidates are the distinct lists of the labels of functions that -Oz does not serve best. Each is
compiled for a sample of these functions; then lists are taken greedily, each time the one that
saves most beyond those that are taken already. A saving counts in instructions over the square
root of the function's size, between "every instruction counts" and "every function counts".

    python scripts/learn_coreset.py LABELS.parquet agents/search/coreset-v1.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

import llmopt_bench
from llmopt_bench.labels import Label, read_labels

FAILED = 2**40


def sizes_of(label: Label, candidates: list[tuple[str, ...]]) -> list[int]:
    """Return what each candidate makes of the function of a label."""
    session = llmopt_bench.Session(label.uri)
    return session.evaluate([llmopt_bench.PassList(c) for c in candidates], failure=FAILED)


def greedy(sizes: np.ndarray, oz: np.ndarray, first: int, count: int) -> list[int]:
    """Return the columns of ``sizes`` (functions x lists) that together save most, in order."""
    weights = 1 / np.sqrt(np.maximum(oz, 10))
    order, best = [first], np.minimum(oz, sizes[:, first])
    while len(order) < count:
        gains = (np.maximum(best[:, None] - sizes, 0) * weights[:, None]).sum(axis=0)
        taken = int(gains.argmax())
        if gains[taken] <= 0:
            break
        order.append(taken)
        best = np.minimum(best, sizes[:, taken])
        if len(order) % 10 == 0 or len(order) < 6:
            print(f"{len(order)} lists: {oz.sum() / best.sum() - 1:+.2%} over -Oz", file=sys.stderr)
    return order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lists", type=int, default=64, help="size of the coreset")
    parser.add_argument("--functions", type=int, default=800, help="functions to learn from")
    parser.add_argument("--candidates", type=int, default=500, help="lists to choose from")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    improved = [label for label in read_labels(given.labels) if label.best < label.oz]
    found = Counter(tuple(llmopt_bench.PassList.parse(label.pass_list)) for label in improved)
    common = [names for names, _ in found.most_common(given.candidates)]
    candidates = list(dict.fromkeys([("Oz",), *common]))
    sample = random.Random(given.seed).sample(improved, min(given.functions, len(improved)))
    with multiprocessing.get_context("spawn").Pool() as pool:
        rows = pool.map(partial(sizes_of, candidates=candidates), sample, chunksize=4)
    oz = np.array([label.oz for label in sample])
    order = greedy(np.array(rows), oz, first=0, count=given.lists)
    weights = Counter(
        name for label in improved for name in set(llmopt_bench.PassList.parse(label.pass_list))
    )
    content = {
        "trained_on": ["corpus-train-v1"],
        "lists": [candidates[i] for i in order],
        "weights": dict(sorted(weights.items())),
    }
    given.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
