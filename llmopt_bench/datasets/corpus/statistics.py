"""Prints the tables of docs/corpus.md from the corpus that is built on this machine.

``python -m llmopt_bench.datasets.corpus.statistics``
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from llmopt_bench.datasets.corpus.corpus import Corpus, corpus_v1
from llmopt_bench.datasets.corpus.recipe import SPLITS
from llmopt_bench.datasets.corpus.table import read_rows
from llmopt_bench.errors import LlmoptError

_COLUMNS = (
    *("package", "language", "split", "near_hash"),
    *("instructions_o0", "instructions_oz", "text_length"),
)
_BOUNDS = (5, 10, 20, 50, 100, 200, 500, 1000, 2001)


def tables(corpus: Corpus) -> Iterator[str]:
    """Yield the tables as Markdown.

    Raises:
        NotBuilt: The corpus is not built on this machine.
    """
    corpus.require_built()
    rows = list(read_rows(corpus.function_table, _COLUMNS))
    groups = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    yield _table(
        ("split", "packages", "functions", "C++", "instructions", "with -Oz", "median", "text"),
        [_split_row(name, group) for name, group in (*groups.items(), ("all", rows))],
    )
    yield _table(
        ("instructions", *SPLITS, "all", "share"),
        list(_distribution({**groups, "all": rows})),
    )
    yield _table(("area", "packages", "functions", *SPLITS), list(_areas(corpus, rows)))
    yield _table(("licence", "packages"), _licences(corpus, rows))


def _split_row(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    before = np.array([row["instructions_o0"] for row in rows])
    after = sum(row["instructions_oz"] for row in rows)
    text = np.array([row["text_length"] for row in rows])
    cxx = sum(row["language"] == "c++" for row in rows)
    return (
        name,
        str(len({row["package"] for row in rows})),
        f"{len(rows):,}",
        f"{cxx / max(1, len(rows)):.1%}",
        f"{before.sum():,}",
        f"{after:,}",
        f"{np.median(before):g}",
        f"{np.median(text):,.0f}",
    )


def _distribution(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, ...]]:
    counts = {
        name: np.histogram([row["instructions_o0"] for row in rows], bins=_BOUNDS)[0]
        for name, rows in groups.items()
    }
    total = max(1, counts["all"].sum())
    for number, (low, high) in enumerate(pairwise(_BOUNDS)):
        numbers = [f"{counts[name][number]:,}" for name in (*SPLITS, "all")]
        yield f"{low:,} to {high - 1:,}", *numbers, f"{counts['all'][number] / total:.1%}"


def _areas(corpus: Corpus, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    per_package = Counter(row["package"] for row in rows)
    areas = sorted({package.area for package in corpus.recipe.values()})
    for area in areas:
        members = [p for p in corpus.recipe.values() if p.area == area]
        by_split = [
            f"{sum(per_package[p.name] for p in members if p.split == split):,}" for split in SPLITS
        ]
        yield area, str(len(members)), f"{sum(per_package[p.name] for p in members):,}", *by_split


def _licences(corpus: Corpus, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    present = {row["package"] for row in rows}
    found = Counter(corpus.recipe[name].licence for name in present)
    several = [(licence, str(count)) for licence, count in found.most_common() if count > 1]
    single = sum(count == 1 for count in found.values())
    return [*several, ("others, with one package each", str(single))]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Print the tables; return the exit status."""
    try:
        sys.stdout.write("\n".join(tables(corpus_v1())))
    except LlmoptError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
