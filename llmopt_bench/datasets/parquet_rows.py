"""Parquet files of bitcode, read a few rows at a time however large they are."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmopt_bench.datasets.compile_schema import CONTENT, ORIGIN_COLUMNS, origin_of, program_of
from llmopt_bench.datasets.file_uri import PARQUET, open_named, row_uri, short_reason, shown_path
from llmopt_bench.datasets.foreign import Origin
from llmopt_bench.datasets.optional import optional
from llmopt_bench.datasets.rows import RowPrograms, no_row
from llmopt_bench.errors import BadProgram
from llmopt_bench.program import Program

BATCH_BYTES = 1 << 22
"""About what is decoded at a time: a row group may be as large as its file."""
MOST_ROWS = 1_024
"""Rows that are decoded at a time, at most."""
_READ_BYTES = 1 << 20


class ParquetPrograms(RowPrograms):
    """Bitcode in a Parquet file, or in those below a folder, with the columns of ComPile.

    ``content`` has the bitcode; ``license_expression``, ``license_source``, ``package_source``
    and ``language`` may be missing. Whatever the size of files and row groups, iteration takes
    constant memory. To load one row, the rows before it in its row group are decoded too.

    The bitcode is taken as it is. Functions of ComPile carry the attributes that their builds
    gave them, most often not ``minsize``: their reference is weaker than ``clang -Oz``.
    """

    name = "parquet"
    description = "Bitcode in Parquet files with the columns of ComPile"
    suffixes = (PARQUET,)

    def require(self) -> None:
        """See that pyarrow is here.

        Raises:
            MissingTool: It is not.
        """
        optional("pyarrow", "corpus")

    def _count(self, path: Path) -> int:
        with _opened(path) as file:
            return int(file.metadata.num_rows)

    def _rows(self, path: Path) -> Iterator[Callable[[], Program]]:
        with _opened(path) as file:
            number = 0
            for group in range(file.num_row_groups):
                for batch in _batches(file, group, [CONTENT]):
                    for content in batch.column(0):
                        uri = row_uri(path, number)
                        yield functools.partial(_program, uri, content)
                        number += 1

    def _load(self, path: Path, row: int) -> Program:
        with _opened(path) as file:
            content = _batch_of(file, path, row, [CONTENT]).column(0)[0]
            return _program(row_uri(path, row), content)

    def _origin(self, path: Path, row: int) -> Origin:
        with _opened(path) as file:
            columns = [name for name in ORIGIN_COLUMNS if name in file.schema_arrow.names]
            # Of no columns, pyarrow gives no rows either, and the row has to exist.
            (values,) = _batch_of(file, path, row, columns or [CONTENT]).to_pylist()
            return origin_of(values)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file that has the right columns; what pyarrow complains of becomes ``BadProgram``."""
    pyarrow = optional("pyarrow", "corpus")
    parquet = optional("pyarrow.parquet", "corpus")
    with open_named(path) as stream:
        state = os.fstat(stream.fileno())
        try:
            footer = _footer(path, state.st_ino, state.st_size, state.st_mtime_ns)
            # Without these two, a whole row group is read, and decompressed, ahead.
            yield parquet.ParquetFile(
                stream, metadata=footer, pre_buffer=False, buffer_size=_READ_BYTES
            )
        except (pyarrow.ArrowException, OSError) as error:
            raise BadProgram(
                f"expected a complete Parquet file, got {shown_path(path)}: "
                f"{short_reason(error)}. Write or download it again."
            ) from error


@functools.lru_cache(maxsize=256)
def _footer(path: Path, inode: int, size: int, changed: int) -> Any:
    """Read what stands at the end of a file, and check the columns, once for each state of it."""
    with open_named(path) as stream:
        file = optional("pyarrow.parquet", "corpus").ParquetFile(stream)
        schema = file.schema_arrow
    if CONTENT not in schema.names:
        raise BadProgram(
            f"expected a column {CONTENT!r} with bitcode in {shown_path(path)}, got columns "
            f"{', '.join(schema.names[:12]) or 'none'}. Rename the column that holds it."
        )
    types = optional("pyarrow", "corpus").types
    kind = schema.field(CONTENT).type
    if not (types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)):
        raise BadProgram(
            f"expected bytes in column {CONTENT!r} of {shown_path(path)}, got {str(kind)[:80]}. "
            "Write the bitcode as binary."
        )
    return file.metadata


def _batches(file: Any, group: int, columns: Sequence[str]) -> Iterator[Any]:
    return file.iter_batches(  # type: ignore[no-any-return]
        batch_size=_rows_at_a_time(file.metadata.row_group(group)),
        row_groups=[group],
        columns=list(columns),
        use_threads=False,
    )


def _rows_at_a_time(group: Any) -> int:
    average = group.total_byte_size // max(group.num_rows, 1)
    return max(1, min(MOST_ROWS, int(BATCH_BYTES // max(average, 1))))


def _batch_of(file: Any, path: Path, row: int, columns: Sequence[str]) -> Any:
    """Return a batch of the one row."""
    left = row
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if left >= rows:
            left -= rows
            continue
        for batch in _batches(file, group, columns):
            if left < batch.num_rows:
                return batch.slice(left, 1)
            left -= batch.num_rows
    raise no_row(path, row, file.metadata.num_rows)


def _program(uri: str, content: Any) -> Program:
    return program_of(uri, content.as_py())
