"""Learn the coreset of agents/search from labels of the train split, and lists of portfolios.

Candidates are the most frequent lists of the labels of functions that -Oz does not serve best, and
lists that ``learn_portfolio.py`` found. Each is compiled for a sample of functions, drawn by their
instructions; then lists are taken greedily, each time the one that saves most beyond those that
are taken already.

    python scripts/learn_coreset.py LABELS.parquet agents/search/coreset-v2.json --more SIMPLE.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from learn_portfolio import draw, measured

from llmopt_bench import PassList, read_labels


def greedy(
    sizes: np.ndarray, oz: np.ndarray, weights: np.ndarray, first: int, count: int
) -> list[int]:
    """Return the columns of ``sizes`` (functions x lists) that together save most, in order."""
    order, best = [first], np.minimum(oz, sizes[:, first])
    while len(order) < count:
        gains = (np.maximum(best[:, None] - sizes, 0) * weights[:, None]).sum(axis=0)
        taken = int(gains.argmax())
        if gains[taken] <= 0:
            break
        order.append(taken)
        best = np.minimum(best, sizes[:, taken])
        if len(order) % 10 == 0 or len(order) < 6:
            gain = (oz * weights).sum() / (best * weights).sum() - 1
            print(f"{len(order)} lists: {gain:+.2%} over -Oz", file=sys.stderr)
    return order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--more", type=Path, action="append", default=[], help="JSON of lists")
    parser.add_argument("--lists", type=int, default=64, help="size of the coreset")
    parser.add_argument("--functions", type=int, default=600, help="functions to learn from")
    parser.add_argument("--candidates", type=int, default=250, help="lists of labels")
    parser.add_argument("--most", type=int, default=1000, help="instructions of a function")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    improved = [label for label in read_labels(given.labels) if label.best < label.oz]
    best = Counter(PassList.parse(label.pass_list).names for label in improved)
    common = [names for names, _ in best.most_common(given.candidates)]
    more = [tuple(names) for path in given.more for names in json.loads(path.read_text("utf-8"))]
    candidates = [PassList(names) for names in dict.fromkeys([("Oz",), *more, *common])]
    rng = np.random.default_rng(given.seed)
    uris = draw("corpus-train-v1", given.functions, given.most, rng)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # LLVM works in processes of its own
        found = list(pool.map(partial(measured, lists=candidates), uris))
    initial, oz = np.array([row[:2] for row in found]).T
    order = greedy(np.array([row[2] for row in found]), oz, 1 / initial, first=0, count=given.lists)
    weights = Counter(
        name for label in improved for name in set(PassList.parse(label.pass_list).names)
    )
    content = {
        "trained_on": ["corpus-train-v1"],
        "lists": [list(candidates[i]) for i in order],
        "weights": dict(sorted(weights.items())),
    }
    given.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
