"""How files, and rows in files, are named: as URIs, as paths and in messages."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from llmopt_bench.errors import BadProgram, LlmoptError, UnknownProgram, shorten, shown
from llmopt_bench.plain_file import open_plain, reason_of

SCHEME = "file://"
PARQUET = ".parquet"
JSON_LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".tar.gz")
ROW_SUFFIXES = (PARQUET, *JSON_LINES)
"""The endings of files that hold many programs, one in each row."""

_MOST_NEIGHBOURS = 10_000
# A row has no dot, so that a program called `a.parquet#b.bc` stays a file.
_ROW_NAME = re.compile(r"(?P<file>.+)#(?P<row>[^/.]*)", re.DOTALL)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def path_of(name: str | Path) -> Path:
    """Return the absolute path that a path or ``file://`` URI names.

    Raises:
        UnknownProgram: The URI is relative.
    """
    if isinstance(name, Path) or not name.startswith(SCHEME):
        return Path(name).absolute()
    # A name need not be UTF-8; this undoes what Path.as_uri does to one that is not.
    path = Path(unquote(name.removeprefix(SCHEME), errors="surrogateescape"))
    if not path.is_absolute():
        raise UnknownProgram(f"expected {SCHEME}/absolute/path, got {shorten(name)!r}.")
    return path


def shown_path(path: Path) -> str:
    """Return a path as a message shows it."""
    return shorten(str(path), 300)


def row_uri(path: Path, row: int) -> str:
    """Return the URI of one row: ``file:///absolute/x.parquet#17``."""
    return f"{path.as_uri()}#{row}"


def is_row_name(text: str) -> bool:
    """Whether the text can only mean a row of a file."""
    match = _ROW_NAME.fullmatch(text)
    return match is not None and match["file"].endswith(ROW_SUFFIXES)


def split_row(name: str) -> tuple[Path, int]:
    """Return the absolute path and the number in the name of a row.

    Raises:
        UnknownProgram: It is not the name of a row.
    """
    match = _ROW_NAME.fullmatch(name)
    # One name for each program: not 007 for 7.
    if match is None or not _NUMBER.fullmatch(match["row"]):
        raise UnknownProgram(
            f"expected {SCHEME}/absolute/path#<row>, a plain number from 0, got {shown(name, 300)}."
        )
    return path_of(match["file"]), int(match["row"])


def open_named(path: Path) -> BinaryIO:
    """Return a file that the user has named, opened for reading.

    Raises:
        UnknownProgram: There is no such file.
        BadProgram: It cannot be opened, or is not a plain file.
    """
    try:
        return open_plain(path)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> LlmoptError:
    """Return the error to raise for a file of the user that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UnknownProgram(
            f"expected a program at {shown_path(path)}, got no file.{_hint(path)}"
        )
    return BadProgram(
        f"expected a file that can be read, got {shown_path(path)}: {reason_of(error)}."
    )


def short_reason(error: Exception) -> str:
    """Return why a library could not use a file, in one line without a stop."""
    return shorten(" ".join(reason_of(error).split()), 200).rstrip(".")


def _hint(path: Path) -> str:
    """Return the files that may be meant."""
    try:
        there = [entry.name for entry in islice(path.parent.iterdir(), _MOST_NEIGHBOURS)]
    except FileNotFoundError:
        return f" There is no folder {shown_path(path.parent)} either."
    except OSError:  # a folder that we may not list
        return ""
    near = difflib.get_close_matches(path.name, there)
    return f" Did you mean {' or '.join(near)}?" if near else ""
