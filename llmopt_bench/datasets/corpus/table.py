"""Parquet files of functions: how they are written, and read without holding them in memory."""

from __future__ import annotations

import bisect
import functools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import BadProgram

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_PER_GROUP = 64
"""What is decompressed to get at one row: some 300 KB, well under a millisecond."""
_ZSTD_LEVEL = 9
_KEPT_GROUPS = 8


def function_schema() -> pa.Schema:
    """Return the columns of a table of functions, in the order of docs/corpus.md."""
    import pyarrow as pa

    fields: list[pa.Field[Any]] = [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("bitcode", pa.binary(), nullable=False),
        pa.field("package", pa.dictionary(pa.int16(), pa.string()), nullable=False),
        pa.field("language", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("licence", pa.dictionary(pa.int16(), pa.string()), nullable=False),
        pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("near_hash", pa.string(), nullable=False),
        pa.field("instructions_o0", pa.int32(), nullable=False),
        pa.field("instructions_oz", pa.int32(), nullable=False),
        pa.field("autophase", pa.list_(pa.int32(), 56), nullable=False),
        pa.field("text_length", pa.int32(), nullable=False),
    ]
    return pa.schema(fields)


def module_schema() -> pa.Schema:
    """Return the columns of a table of whole files."""
    import pyarrow as pa

    names = ("uri", "bitcode", "package", "language", "licence", "sha256", "instructions_o0")
    return pa.schema([function_schema().field(name) for name in names])


def write_table(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a Parquet file, which is there whole or not at all; return their number.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            write_page_checksum=True,
            # Of bitcode they would be bitcode, twice for each group.
            write_statistics=False,
            use_dictionary=[f.name for f in schema if _is_dictionary(f)],
        ) as writer:
            for group in _groups(rows):
                writer.write_table(pa.Table.from_pylist(group, schema))
                count += len(group)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, group by group.

    Raises:
        BadProgram: It is damaged.
    """
    with Table(path) as table:
        for group in range(table.groups):
            yield from table.read_group(group, columns)


class Table:
    """A Parquet file whose rows are sorted by ``uri``: any row by its URI, in constant memory.

    Safe to use from several threads.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            BadProgram: It is no Parquet file, or it is damaged.
            MissingTool: pyarrow is not installed.
        """
        optional("pyarrow.parquet", "corpus")
        self.path = path
        self._lock = threading.Lock()
        self._file: pq.ParquetFile = self._open()
        self._kept: dict[int, list[bytes]] = {}

    def _open(self) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.path, error) from error

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @property
    def groups(self) -> int:
        """The number of row groups."""
        return int(self._file.metadata.num_row_groups)

    @functools.cached_property
    def uris(self) -> Sequence[str]:
        """All URIs, sorted: a view of the column, which is read once."""
        return _Strings(self._column("uri"))

    def bitcode(self, uri: str) -> bytes | None:
        """Return the bitcode of a row, None if there is no such row.

        Raises:
            BadProgram: The file is damaged.
        """
        index = bisect.bisect_left(self.uris, uri)
        if index == len(self.uris) or self.uris[index] != uri:
            return None
        group, position = self._starts(index)
        with self._lock:
            if group not in self._kept:
                if len(self._kept) >= _KEPT_GROUPS:
                    del self._kept[next(iter(self._kept))]
                self._kept[group] = [row["bitcode"] for row in self._read(group, ["bitcode"])]
            return self._kept[group][position]

    def read_group(self, group: int, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one group.

        Raises:
            BadProgram: The file is damaged.
        """
        with self._lock:
            return self._read(group, columns)

    def _read(self, group: int, columns: Sequence[str] | None) -> list[dict[str, Any]]:
        import pyarrow as pa

        try:
            # Arrow's threads do not survive a fork of this process, so none are used.
            wanted = None if columns is None else list(columns)
            table = self._file.read_row_group(group, wanted, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.path, error) from error
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def _column(self, name: str) -> pa.Array[Any]:
        import pyarrow as pa

        try:
            table = self._file.read([name], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.path, error) from error
        return table.column(name).combine_chunks()

    @functools.cached_property
    def _bounds(self) -> list[int]:
        """The number of the first row of each group, and the number of all rows."""
        sizes = [self._file.metadata.row_group(i).num_rows for i in range(self.groups)]
        bounds = [0]
        for size in sizes:
            bounds.append(bounds[-1] + size)
        return bounds

    def _starts(self, index: int) -> tuple[int, int]:
        group = bisect.bisect_right(self._bounds, index) - 1
        return group, index - self._bounds[group]


class _Strings(Sequence[str]):
    """A column of text as a sequence, without a Python object for each row."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._column[index].to_pylist()
        return self._column[index].as_py()


def _is_dictionary(field: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(field.type))


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def _damaged(path: Path, error: Exception) -> BadProgram:
    return BadProgram(
        f"expected a Parquet file at {path}, got: {error}. It is damaged; remove it and build the "
        "dataset again."
    )
