"""Functions to learn from, each with what the lists of a portfolio make of it.

A portfolio is a few lists that serve different functions (``scripts/learn_portfolio.py``). The best
of them is less good than what a search finds for a function alone, but it can be learnt: the same
lists come again and again, and what each of the others would have cost is known too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from llmopt_bench import (
    BadTraining,
    CompilerError,
    PassList,
    Session,
    make_action_set,
    make_dataset,
)

from .examples import Example
from .stages import Stages

_LOOKED_AT = 4
"""Functions whose instructions are counted for each that is drawn, as far as there are so many."""
_FAILED = -1


class Named(Protocol):
    """Whatever names a function."""

    @property
    def uri(self) -> str:
        """The function."""


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True)
class Planned:
    """A function to learn from, of which no example has been made yet."""

    uri: str
    make: Callable[[], Example | None]
    """Makes the example; None if this machine does not have what is learnt from."""


@dataclass(frozen=True)
class Source:
    """Where examples come from."""

    place: str
    """For messages."""
    functions: Sequence[Planned]
    facts: Mapping[str, Any]
    """What is to be known about the examples."""


def package_of(uri: str) -> str:
    """Return the dataset and the package, or program, that a function is of."""
    return "/".join(uri.split("/")[:2])


def read_portfolio(path: Path) -> list[PassList]:
    """Return the lists of a portfolio.

    Raises:
        BadTraining: The file is not there, or is no portfolio.
    """
    expected = f"portfolio {path}: expected a JSON list of two or more lists of actions"
    advice = "Make one with scripts/learn_portfolio.py."
    try:
        content = json.loads(path.read_text("utf-8"))
        lists = [PassList(names, make_action_set()) for names in content]
    except (OSError, ValueError, TypeError) as error:
        raise BadTraining(f"{expected}, got: {error}. {advice}") from error
    first = [passes.names[0] for passes in lists if passes]
    if len(lists) < 2 or len(set(first)) != len(lists):
        raise BadTraining(
            f"{expected}, each with another first action, got {len(lists)} with the first "
            f"actions {', '.join(first)}. {advice}"
        )
    return lists


def drawn(stages: Stages) -> Source:
    """Return functions of datasets, drawn by their instructions.

    A function's chance is in proportion to its instructions. So a mean over the examples of what a
    list saves, as a share of the function, stands for a sum over all functions of instructions.
    """
    config = stages.config
    path = Path(config.portfolio or "")
    lists = read_portfolio(path)
    datasets = stages.job.data or ("corpus-train-v1",)
    rng = np.random.default_rng(config.sample_seed)
    uris = [uri for name in datasets for uri in make_dataset(name).uris()]
    wanted = min(config.functions or 0, len(uris))
    some = rng.permutation(len(uris))[: _LOOKED_AT * wanted]
    report, sizes = stages.report("data"), list[int]()
    with ThreadPoolExecutor(stages.threads) as pool:
        for size in pool.map(lambda place: Session(uris[place]).initial(), some):
            sizes.append(size)
            if len(sizes) % 1000 == 0:
                report(0.0, f"{len(sizes):,} of {len(some):,} functions looked at")
    chances = np.array(sizes, float)
    chosen = rng.choice(some, wanted, replace=False, p=chances / chances.sum())
    facts = {
        "datasets": list(datasets),
        "portfolio": [passes.compact for passes in lists],
        "portfolio_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    with_ir = config.ir_task > 0
    functions = [
        Planned(uris[place], partial(_example, uris[place], lists, with_ir=with_ir))
        for place in chosen
    ]
    return Source(", ".join(datasets), functions, facts)


def _example(uri: str, lists: Sequence[PassList], *, with_ir: bool) -> Example | None:
    """Return a function with the best of the lists; of equals, the first one."""
    session = Session(uri)
    ir, before = session.ir(normalized=True), session.instruction_count
    found = session.evaluate(lists, failure=_FAILED)
    sizes = [before if size == _FAILED else size for size in found]
    best = sizes.index(min(sizes))
    optimised = ""
    if with_ir:
        try:
            session.apply(lists[best])
        except CompilerError:
            return None
        optimised = session.ir(normalized=True)
    return Example(uri, ir, lists[best].compact, before, sizes[best], optimised, sizes)
