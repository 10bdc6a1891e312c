"""What pass lists make of functions: the table that everything here is learnt from."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import PassList, Session

Ints = NDArray[np.int64]
Report = Callable[[float], None]

_SHARD = 50
"""Functions of a shard: what is lost at most when a training is killed."""
_FAILED = 2**40


@dataclass(frozen=True)
class Measured:
    """Functions, what they are like, and how large each of some pass lists makes them."""

    uris: tuple[str, ...]
    sizes: Ints
    """(functions, lists); a list on which LLVM fails counts as one that does nothing."""
    oz: Ints
    """(functions,), what ``clang -Oz`` makes of each."""
    initial: Ints
    """(functions,), unoptimised."""
    features: Ints
    """(functions, 56), Autophase, unoptimised."""

    def __len__(self) -> int:
        return len(self.uris)


_COLUMNS = tuple(field.name for field in fields(Measured))


def measure(
    uris: Sequence[str],
    lists: Sequence[PassList],
    path: Path,
    report: Report,
    *,
    threads: int | None = None,
    deadline: float = float("inf"),
) -> Measured:
    """Return what the lists make of the functions; from ``path`` if that is there.

    Shards are written beside ``path`` as they are done, and are not done again by the next call.
    After the deadline (``time.monotonic``) no further shard begins, and the functions so far are
    the result.
    """
    if path.exists():
        return _load(path)
    folder = path.with_suffix(".shards")
    folder.mkdir(exist_ok=True)
    shards: list[Measured] = []
    starts = range(0, len(uris), _SHARD)
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
        for number, start in enumerate(starts):
            if shards and time.monotonic() > deadline:
                break
            shards.append(_shard(pool, uris[start : start + _SHARD], lists, folder, number))
            report((number + 1) / len(starts))
    whole = _joined(shards)
    _save(path, whole)
    shutil.rmtree(folder)
    return whole


def joined_lists(one: Measured, two: Measured) -> Measured:
    """Return the functions that both tables have, with the lists of both.

    Both begin with the same functions, and one may end earlier.
    """
    rows = min(len(one), len(two))
    sizes = np.concatenate([one.sizes[:rows], two.sizes[:rows]], axis=1)
    return Measured(one.uris[:rows], sizes, one.oz[:rows], one.initial[:rows], one.features[:rows])


def _shard(
    pool: ThreadPoolExecutor,
    uris: Sequence[str],
    lists: Sequence[PassList],
    folder: Path,
    number: int,
) -> Measured:
    path = folder / f"{number:05}.npz"
    if path.exists():
        return _load(path)
    # Threads are enough: LLVM works in processes of its own, one for each session.
    shard = _joined(list(pool.map(lambda uri: _row(uri, lists), uris)))
    _save(path, shard)
    return shard


def _row(uri: str, lists: Sequence[PassList]) -> Measured:
    session = Session(uri)
    initial = session.initial()
    sizes = np.array(session.evaluate(lists, failure=_FAILED), dtype=np.int64)
    return Measured(
        (uri,),
        np.where(sizes == _FAILED, initial, sizes)[None],
        np.array([session.reference("Oz")]),
        np.array([initial]),
        session.features("autophase")[None],
    )


def _joined(parts: Sequence[Measured]) -> Measured:
    def column(name: str) -> Ints:
        return np.concatenate([getattr(part, name) for part in parts])

    uris = tuple(uri for part in parts for uri in part.uris)
    return Measured(uris, *map(column, _COLUMNS[1:]))


def _save(path: Path, table: Measured) -> None:
    """Write a table so that the file is whole or not there."""
    draft = path.with_name(f".{path.name}.tmp.npz")
    columns: dict[str, Any] = {name: np.array(getattr(table, name)) for name in _COLUMNS}
    np.savez_compressed(draft, **columns)
    draft.replace(path)


def _load(path: Path) -> Measured:
    with np.load(path, allow_pickle=False) as file:
        columns = dict(file)
    return Measured(tuple(columns.pop("uris").tolist()), **columns)
