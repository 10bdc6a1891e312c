"""Which program sets have code in common, so that one is no test of what learnt from the other."""

from __future__ import annotations

import functools
from collections.abc import Set

from llmopt_bench.datasets import dataset_names, make_dataset

_OPTIONAL_SCHEME = "benchmark://"


def share_code(one: str, other: str) -> bool:
    """Whether two program sets or programs, by name or URI, are made of code in common.

    So are a set and what it contains or was made of. A name that means nothing here has code in
    common with itself alone.
    """
    pairs = ((a, b) for a in _paths(one) for b in _paths(other))
    return any(f"{a}/".startswith(f"{b}/") or f"{b}/".startswith(f"{a}/") for a, b in pairs)


@functools.lru_cache(maxsize=1024)
def _paths(name: str) -> Set[str]:
    """Return paths such that what is below a path is made of it."""
    name = name.strip().removeprefix(_OPTIONAL_SCHEME)
    first, _, rest = name.partition("/")
    if first.lower() not in dataset_names():
        return {name}
    dataset = make_dataset(first.lower())
    return {f"{dataset.code_root}/{rest}"} if rest else dataset.code_paths
