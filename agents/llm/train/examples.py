"""Examples to learn from, and files of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

FORMAT = 2
"""Of the folder that the stage ``data`` writes."""


@dataclass(frozen=True)
class Example:
    """A function, and what a model should answer."""

    uri: str
    ir: str
    """Normalised."""
    pass_list: str
    """The best that is known."""
    before: int
    """Instructions, unoptimised."""
    after: int
    """Instructions once the list has run."""
    optimised: str
    """Normalised IR once the list has run; empty where nothing is learnt from it."""
    sizes: Sequence[int] = ()
    """Instructions once each list of the portfolio has run, if there is one."""


@dataclass(frozen=True)
class Exam:
    """A function of the validation, for which no best list is known."""

    uri: str
    ir: str
    """Normalised."""
    before: int
    """Instructions, unoptimised."""
    oz: int
    """Instructions of what ``clang -Oz`` makes of it."""


Row = TypeVar("Row", Example, Exam)


def write_rows(path: Path, rows: Iterable[Row], kind: type[Row]) -> None:
    """Write rows as Parquet, so that the file is whole or not there."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "str": pyarrow.string(),
        "int": pyarrow.int64(),
        "Sequence[int]": pyarrow.list_(pyarrow.int64()),
    }
    schema = pyarrow.schema([(field.name, types[str(field.type)]) for field in fields(kind)])
    draft = path.with_name(f".{path.name}.tmp")
    table = pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    parquet.write_table(table, draft, compression="zstd", compression_level=9)
    draft.replace(path)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of a file."""
    from pyarrow import parquet

    return [kind(**row) for row in parquet.read_table(path).to_pylist()]


def read_shards(folder: Path, name: str) -> Iterator[Example]:
    """Yield the examples of a part, ``train`` or ``holdout``, a shard at a time in memory."""
    for path in sorted(folder.glob(f"{name}-*.parquet")):
        yield from read_rows(path, Example)
