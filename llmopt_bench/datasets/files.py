"""Programs from files of the user: C and C++ sources, IR text and bitcode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from llmopt_bench.datasets.exebench import ExeBenchPrograms
from llmopt_bench.datasets.file_uri import (
    PARQUET,
    ROW_SUFFIXES,
    SCHEME,
    is_row_name,
    path_of,
    row_uri,
    shown_path,
    split_row,
    unreadable,
)
from llmopt_bench.datasets.parquet_rows import ParquetPrograms
from llmopt_bench.datasets.rows import RowPrograms
from llmopt_bench.errors import BadProgram
from llmopt_bench.frontend import LANGUAGES, compile_source
from llmopt_bench.plain_file import read_plain
from llmopt_bench.program import MAX_BYTES, Program

SUFFIXES = (*LANGUAGES, ".ll", ".bc")
"""The endings of files that hold a program."""


def is_file_name(text: str) -> bool:
    """Whether the text can only mean a file: by how it starts or how it ends."""
    by_start = text.startswith((SCHEME, "/", "."))
    return by_start or Path(text).suffix in SUFFIXES or is_row_name(text)


def load_file(name: str | Path, *, level: str = "Oz", cflags: Sequence[str] = ()) -> Program:
    """Return the program in a file, or in one row of a file; its URI has the absolute path.

    Args:
        name: A path or ``file://`` URI; with ``#<row>`` behind it for a file of many programs.
        level: For source files, the level of clang whose attributes the functions carry.
        cflags: For source files, more arguments for clang.

    Raises:
        UnknownProgram: There is no such file, or no such row in it.
        BadProgram: It is something else than a program, or the source does not compile.
    """
    if is_row_name(str(name)):
        return _load_row(str(name))
    path = path_of(name)
    data = _read(path)
    if not data:
        raise BadProgram(f"expected a program in {shown_path(path)}, got an empty file.")
    uri = path.as_uri()
    if path.suffix in LANGUAGES:
        return Program(
            uri,
            compile_source(path, level=level, cflags=cflags),
            data.decode("utf-8", errors="replace"),
        )
    return Program(uri, _assemble(data, path) if path.suffix == ".ll" else data)


def _load_row(name: str) -> Program:
    path, row = split_row(name)
    reader: type[RowPrograms] = ParquetPrograms if path.suffix == PARQUET else ExeBenchPrograms
    return reader(path).load(row_uri(path, row))


def _read(path: Path) -> bytes:
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for some paths)
        raise BadProgram(f"expected a file, got the folder {shown_path(path)}. Name a file in it.")
    if path.name.endswith(ROW_SUFFIXES):
        raise BadProgram(
            f"expected one row of {shown_path(path)}, got the whole file. Name a row, for example "
            f"{row_uri(path, 0)}."
        )
    if path.suffix not in SUFFIXES:
        raise BadProgram(
            f"expected a file that ends in one of {', '.join(SUFFIXES)}, got {shown_path(path)}. "
            "Rename it to what it holds."
        )
    try:
        return read_plain(path, MAX_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error


def _assemble(text: bytes, path: Path) -> bytes:
    from llmopt_bench.isolation import Host

    # Escaped, because LLVM takes UTF-8 only.
    return Host().read(text, quote(os.fsencode(path.name))).bitcode()
