"""What the programs of a task are: the list that every entry of its board is held against.

Whoever maintains a board makes the list once, with a compiler, and reviews it. From then on it
shows without one whether an entry covers all programs, and whether its references are the true
ones.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from llmopt_bench.errors import BadEntry, BadRecord, shorten, shown
from llmopt_bench.plain_file import open_plain, reason_of
from llmopt_bench.record import PROGRAMS as PROGRAMS
from llmopt_bench.record_fields import MAX_SIZE, read_object
from llmopt_bench.task import Task

MAX_LINE_BYTES = 1 << 16
MAX_PROGRAMS = 1_000_000

_ADVICE = "Maintainers write it with `llmopt-bench open-board`."
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """What all records on a program agree on.

    Raises:
        BadRecord: A value has the wrong type or range.
    """

    uri: str
    program_sha256: str
    initial: int
    """The task's metric of the program before any pass."""
    oz: int
    """The task's metric of what ``clang -Oz`` makes of it."""

    def __post_init__(self) -> None:
        """Check every value."""
        if not isinstance(self.uri, str) or not self.uri:
            raise BadRecord(f"uri: expected a string that is not empty, got {shown(self.uri)}.")
        sha256 = self.program_sha256
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise BadRecord(f"program_sha256: expected 64 hexadecimal digits, got {shown(sha256)}.")
        for name in ("initial", "oz"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= MAX_SIZE:
                raise BadRecord(
                    f"{name}: expected an integer from 0 to {MAX_SIZE}, got {shown(value)}."
                )


def read_programs(path: Path, task: Task) -> dict[str, ProgramFacts]:
    """Return the programs of a task by their URIs, in the order of the file.

    Raises:
        BadEntry: The file cannot be read, a line is wrong, a program comes twice, or they are not
            the programs that the task lists.
    """
    found: dict[str, ProgramFacts] = {}
    number = 0
    place = shorten(ascii(str(path))[1:-1], 200)
    try:
        if path.is_symlink():
            raise BadRecord("it is a link. Put the file itself there.")
        for number, line in enumerate(_lines(path), start=1):
            facts = _facts(line)
            if facts.uri in found or number > MAX_PROGRAMS:
                raise BadRecord(f"{shown(facts.uri)}: expected every program once. Remove it.")
            found[facts.uri] = facts
    except FileNotFoundError as error:
        raise BadEntry(f"{place}: there is no such file. {_ADVICE}") from error
    except (BadRecord, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise BadEntry(f"{place}:{max(number, 1)}: {shorten(reason_of(error), 500)}") from error
    if not found or (task.programs and set(task.programs) != set(found)):
        raise BadEntry(f"{place}: expected the programs of {task.name}, got others. {_ADVICE}")
    return found


def programs_file(programs: Iterable[ProgramFacts]) -> bytes:
    """Return the content of a file of programs; the same programs give the same bytes."""
    lines = (json.dumps(asdict(facts), separators=(",", ":")) + "\n" for facts in programs)
    return zipped("".join(lines).encode())


def zipped(data: bytes) -> bytes:
    """Return ``data`` as gzip without a name or time, so that the same data give the same bytes."""
    target = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as stream:
        stream.write(data)
    return target.getvalue()


def _facts(line: bytes) -> ProgramFacts:
    names = [field.name for field in fields(ProgramFacts)]
    return ProgramFacts(**read_object(line.decode("utf-8"), names))


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of the file, each cut at ``MAX_LINE_BYTES``."""
    with open_plain(path) as plain, gzip.GzipFile(fileobj=plain) as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            yield line
