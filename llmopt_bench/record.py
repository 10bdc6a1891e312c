"""Records: what one agent did on one program, as raw facts. Scores are computed from them later.

A file of records has one JSON object per line (``.jsonl``, or ``.jsonl.gz``).
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from llmopt_bench.errors import BadRecord, shorten, shown
from llmopt_bench.plain_file import append_whole, open_plain, open_to_append, reason_of
from llmopt_bench.record_fields import ADDED, SCHEMA, check_values, read_object

SUFFIXES = (".jsonl", ".jsonl.gz")
PROGRAMS = "programs.jsonl.gz"
"""Stands among the records of a leaderboard and holds none: it lists the programs of the task."""
MAX_LINE_BYTES = 1 << 24
MAX_FILE_BYTES = 1 << 30
"""Of text, after decompression: room for half a million records, and the end of a gzip bomb."""


class RecordKey(NamedTuple):
    """What makes two records the same run; used to resume and to find duplicates."""

    task: str
    agent: str
    agent_version: str
    program: str
    budget: int
    seed: int
    repetition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of one agent on one program. Holds no derived score, so old records can be re-scored.

    Raises:
        BadRecord: A value has the wrong type or range, or values contradict each other.
    """

    schema: int = SCHEMA
    task: str
    task_sha256: str
    program: str
    """URI of the program."""
    program_sha256: str
    agent: str
    agent_version: str
    agent_settings: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    seed: int
    repetition: int
    """Number of this repetition, from 0."""
    action_set: str
    action_set_sha256: str
    metric: str
    """What ``initial``, ``oz`` and ``new`` count: one of ``task.METRICS``."""
    budget: int
    """The most additional compilations that the agent was allowed."""
    pass_list: str
    """Text of the answer; empty for no passes, and when there is no answer."""
    status: str
    """``ok``, or ``failed`` when there is no valid answer."""
    error: str | None = None
    """What went wrong; None if nothing did."""
    initial: int
    """Metric of the program before any pass."""
    oz: int
    """Metric of what ``clang -Oz`` makes of the program."""
    new: int | None = None
    """Metric of what the answer makes of the program; None if the run failed."""
    module_sha256: str | None = None
    """Content hash of the final module; None if the run failed."""
    additional_compilations: int
    """Compilations that the agent spent to choose its answer."""
    passes_applied: int
    """Passes that these compilations applied."""
    curve: tuple[tuple[int, int], ...] = ()
    """The anytime curve, see ``PassOrderEnv.curve``; empty if it is not known."""
    wall_seconds: float
    llvm_version: str
    package_version: str
    usage: dict[str, int | float] = field(default_factory=dict)
    """What else the agent used, for example ``{"tokens_in": 812}``."""
    trained_on: tuple[str, ...] = ()
    """Program sets or URIs that the agent has learnt from."""
    build: dict[str, str] = field(default_factory=dict)
    """Facts of the build and machine that could change a result."""

    def __post_init__(self) -> None:
        """Normalise lists to tuples and check every value."""
        if isinstance(self.trained_on, list):
            object.__setattr__(self, "trained_on", tuple(self.trained_on))
        if isinstance(self.curve, list):
            points = (tuple(p) if isinstance(p, list) else p for p in self.curve)
            object.__setattr__(self, "curve", tuple(points))
        check_values({f.name: getattr(self, f.name) for f in fields(self)})

    @property
    def key(self) -> RecordKey:
        """The identity of the run."""
        return RecordKey(*(getattr(self, name) for name in RecordKey._fields))

    def to_json(self) -> str:
        """Return the record as one line of JSON of its schema, without the line's end."""
        names = (f.name for f in fields(self) if ADDED.get(f.name, 1) <= self.schema)
        content = {name: getattr(self, name) for name in names}
        return json.dumps(content, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Return the record that a line of JSON holds.

        Raises:
            BadRecord: It is not JSON, a key is missing, unknown or repeated, or a value is wrong.
        """
        return cls(**read_object(line, [f.name for f in fields(cls)]))


def read_records(path: str | Path, *, tolerate_tail: bool = False) -> Iterator[Record]:
    """Yield the records of a file, or of all files in a folder and below it, one at a time.

    Args:
        path: A ``.jsonl`` or ``.jsonl.gz`` file, or a folder; a folder's files come sorted.
        tolerate_tail: Pass over a last line of a ``.jsonl`` file that has no line end and is no
            record, which is what a killed writer leaves behind.

    Raises:
        BadRecord: There is no such file, a line is no record, or two records have the same key;
            the message names file and line.
    """
    return _without_duplicates(_files(Path(path)), tolerate_tail)


def _without_duplicates(files: list[Path], tolerate_tail: bool) -> Iterator[Record]:
    seen: dict[RecordKey, str] = {}
    for file in files:
        for number, record in _numbered(file, tolerate_tail):
            place = f"{file}:{number}"
            first = seen.setdefault(record.key, place)
            if first is not place:
                raise BadRecord(
                    f"{place}: same run as {first}: {_short(record.key)}. Remove one of them."
                )
            yield record


def _short(key: RecordKey) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in key._asdict().items())


def _files(path: Path) -> list[Path]:
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for some paths)
        named = (file for file in path.rglob("*") if file.name.endswith(SUFFIXES))
        files = sorted(file for file in named if file.name != PROGRAMS)
        if not files:
            raise BadRecord(f"{path}: expected {' or '.join(SUFFIXES)} files in it, found none.")
        return files
    if not path.name.endswith(SUFFIXES):
        raise BadRecord(f"{path}: expected a folder, or a file ending in {' or '.join(SUFFIXES)}.")
    if not os.path.exists(path):  # noqa: PTH110  (Path's may raise)
        raise BadRecord(f"{shorten(str(path), 200)}: there is no such file. Check the path.")
    return [path]


def _numbered(file: Path, tolerate_tail: bool) -> Iterator[tuple[int, Record]]:
    """Yield the records of one file with their line numbers."""
    zipped = file.name.endswith(".gz")
    number = 0
    try:
        for number, line in enumerate(_lines(file, zipped), start=1):
            try:
                record = Record.from_json(line.decode("utf-8"))
            except (BadRecord, UnicodeDecodeError):
                cut = not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES
                if cut and tolerate_tail and not zipped:
                    return
                raise
            yield number, record
    except (BadRecord, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        place = f"{shorten(str(file), 200)}:{max(number, 1)}"
        raise BadRecord(f"{place}: {shorten(reason_of(error), 500)}") from error


def _lines(file: Path, zipped: bool) -> Iterator[bytes]:
    """Yield the lines of a file, each cut at ``MAX_LINE_BYTES``."""
    left = MAX_FILE_BYTES
    with open_plain(file) as plain, gzip.GzipFile(fileobj=plain) if zipped else plain as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            left -= len(line)
            if left < 0:
                raise BadRecord(
                    f"expected at most {MAX_FILE_BYTES:,} bytes of records in a file, got more. "
                    "Split the file."
                )
            yield line


class RecordWriter:
    """Appends records to a ``.jsonl`` file; what ``write`` has returned from survives a crash.

    Args:
        path: The file; missing folders are made.
        resume: Go on with a file that exists. A half-written last line is cut off.

    Raises:
        BadRecord: The file has content and ``resume`` is not set, its content is not records, or
            it cannot be written.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = Path(path)
        self._keys: set[RecordKey] = set()
        if self.path.suffix != ".jsonl":
            raise BadRecord(f"{self.path}: expected a name ending in .jsonl. Rename it.")
        try:
            self._stream = self._open(resume)
        except OSError as error:
            raise BadRecord(
                f"{shorten(str(self.path), 200)}: cannot write records: {reason_of(error)}. "
                "Choose a folder that can be written."
            ) from error

    @property
    def keys(self) -> frozenset[RecordKey]:
        """The runs that the file holds: what a resumed job need not do again."""
        return frozenset(self._keys)

    def write(self, record: Record) -> None:
        """Append a record and wait until it is on the disk.

        Raises:
            BadRecord: The file holds this run already.
            OSError: The record cannot be written, and the file is as it was: the disk is full.
        """
        if record.key in self._keys:
            raise BadRecord(f"{self.path} holds this run already: {_short(record.key)}. Skip it.")
        append_whole(self._stream, record.to_json().encode() + b"\n")
        self._keys.add(record.key)

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        self._stream.close()

    def _open(self, resume: bool) -> FileIO:
        """Return the file, unbuffered, with the runs that it holds noted."""
        if self.path.exists():
            with open_plain(self.path) as plain:
                empty = not plain.read(1)
            if not empty and not resume:
                raise BadRecord(f"{self.path} holds records. Resume, or choose another name.")
            self._keys.update(r.key for r in read_records(self.path, tolerate_tail=True))
            _mend_tail(self.path)
        return open_to_append(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _mend_tail(path: Path) -> None:
    """End the last line of ``path``, or cut it if it is not a whole record."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end == len(content):
        return
    with path.open("r+b") as stream:
        try:
            Record.from_json(content[end:].decode("utf-8"))
        except (BadRecord, UnicodeDecodeError):
            stream.truncate(end)
        else:
            stream.seek(0, os.SEEK_END)
            stream.write(b"\n")
