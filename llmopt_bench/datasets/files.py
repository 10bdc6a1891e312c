"""Programs from files of the user: C and C++ sources, IR text and bitcode."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from llmopt_bench.errors import BadProgram, UnknownProgram
from llmopt_bench.frontend import LANGUAGES, compile_source
from llmopt_bench.program import Program

SCHEME = "file://"
SUFFIXES = (*LANGUAGES, ".ll", ".bc")
"""The endings of files that hold a program."""


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
        raise BadProgram(f"expected a program in {path}, got an empty file.")
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
    path = Path(unquote(name.removeprefix(SCHEME)))
    if not path.is_absolute():
        raise UnknownProgram(f"expected {SCHEME}/absolute/path, got {name!r}.")
    return path


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise BadProgram(f"expected a file, got the folder {path}. Name a file in it.")
    if path.suffix not in SUFFIXES:
        raise BadProgram(
            f"expected a file that ends in one of {', '.join(SUFFIXES)}, got {path}. "
            "Rename it to what it holds."
        )
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UnknownProgram(f"expected a program at {path}, got no file.{_hint(path)}") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadProgram(f"expected a file that can be read, got {path}: {why}.") from error


def _hint(path: Path) -> str:
    """Return the files that may be meant."""
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()])
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _assemble(text: bytes, path: Path) -> bytes:
    from llmopt_bench.isolation import Host

    return Host().read(text, path.name).bitcode()
