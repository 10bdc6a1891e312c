"""Programs from files of the user: C and C++ sources, IR text and bitcode."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote, unquote

from llmopt_bench.errors import BadProgram, UnknownProgram, shorten
from llmopt_bench.frontend import LANGUAGES, compile_source
from llmopt_bench.plain_file import read_plain, reason_of
from llmopt_bench.program import MAX_BYTES, Program

SCHEME = "file://"
SUFFIXES = (*LANGUAGES, ".ll", ".bc")
"""The endings of files that hold a program."""
_MOST_NEIGHBOURS = 10_000


def is_file_name(text: str) -> bool:
    """Whether the text can only mean a file: by how it starts or how it ends."""
    return text.startswith((SCHEME, "/", ".")) or Path(text).suffix in SUFFIXES


def load_file(name: str | Path, *, level: str = "Oz", cflags: Sequence[str] = ()) -> Program:
    """Return the program in a file; its URI has the absolute path.

    Args:
        name: A path or ``file://`` URI.
        level: For sources, the level of clang whose attributes the functions carry.
        cflags: For sources, more arguments for clang.

    Raises:
        UnknownProgram: There is no such file.
        BadProgram: It is something else than a program, or the source does not compile.
    """
    path = _path_of(name).absolute()
    data = _read(path)
    if not data:
        raise BadProgram(f"expected a program in {_shown(path)}, got an empty file.")
    uri = path.as_uri()
    if path.suffix in LANGUAGES:
        return Program(
            uri,
            compile_source(path, level=level, cflags=cflags),
            data.decode("utf-8", errors="replace"),
        )
    return Program(uri, _assemble(data, path) if path.suffix == ".ll" else data)


def _path_of(name: str | Path) -> Path:
    if isinstance(name, Path) or not name.startswith(SCHEME):
        return Path(name)
    # A name need not be UTF-8; this undoes what Path.as_uri does to one that is not.
    path = Path(unquote(name.removeprefix(SCHEME), errors="surrogateescape"))
    if not path.is_absolute():
        raise UnknownProgram(f"expected {SCHEME}/absolute/path, got {shorten(name)!r}.")
    return path


def _read(path: Path) -> bytes:
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for some paths)
        raise BadProgram(f"expected a file, got the folder {_shown(path)}. Name a file in it.")
    if path.suffix not in SUFFIXES:
        raise BadProgram(
            f"expected a file that ends in one of {', '.join(SUFFIXES)}, got {_shown(path)}. "
            "Rename it to what it holds."
        )
    try:
        return read_plain(path, MAX_BYTES)
    except FileNotFoundError:
        hint = _hint(path)
        raise UnknownProgram(f"expected a program at {_shown(path)}, got no file.{hint}") from None
    except OSError as error:
        raise BadProgram(
            f"expected a file that can be read, got {_shown(path)}: {reason_of(error)}."
        ) from error


def _hint(path: Path) -> str:
    """Return the files that may be meant."""
    try:
        there = [entry.name for entry in islice(path.parent.iterdir(), _MOST_NEIGHBOURS)]
    except FileNotFoundError:
        return f" There is no folder {_shown(path.parent)} either."
    except OSError:  # a folder that we may not list
        return ""
    near = difflib.get_close_matches(path.name, there)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _shown(path: Path) -> str:
    return shorten(str(path), 300)


def _assemble(text: bytes, path: Path) -> bytes:
    from llmopt_bench.isolation import Host

    # Escaped, because LLVM takes UTF-8 only.
    return Host().read(text, quote(os.fsencode(path.name))).bitcode()
