"""Files of lines, plain or compressed, of which any line can be asked for by its number."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import threading
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from llmopt_bench.datasets.file_uri import open_named, short_reason, shown_path
from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import BadProgram
from llmopt_bench.program import MAX_BYTES

MAX_LINE = MAX_BYTES
"""Bytes of the longest line that is kept."""
STRIDE = 64
"""Of every this many lines of a plain file, the place of the first is remembered."""
_READ_BYTES = 1 << 20
_MEMBERS = (".jsonl", ".jsonl.gz", ".jsonl.zst")

Line = bytes | None
"""A line with its end; None for one that is too long."""
_Reader = Generator[tuple[int, Line], None, None]
"""Yields lines with their numbers."""


class JsonLines:
    """The lines of a ``.jsonl``, ``.jsonl.gz`` or ``.jsonl.zst`` file, or of all in a ``.tar.gz``.

    A reader stays where it is between two calls of ``line``, so lines that are asked for in
    ascending order cost one pass together. To go back, it starts at a place it remembers in a
    plain file, and at the beginning of a compressed one; the line that was asked for last is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plain = path.name.endswith(".jsonl")
        self._places = {0: 0}
        """Where a line starts, for the multiples of ``STRIDE`` up to the furthest ever read."""
        self._total: int | None = None
        self._last: tuple[int, Line] | None = None
        self._reader: _Reader | None = None
        self._next = 0
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Line]:
        return (line for _, line in self._read(0))

    def count(self) -> int:
        """Return the number of lines: a pass through the file, the first time."""
        if self._total is None:
            self._total = sum(1 for _ in self)
        return self._total

    def line(self, number: int) -> Line:
        """Return one line.

        Raises:
            IndexError: There are not that many.
            BadProgram: The file is broken.
        """
        with self._lock:
            if self._last is None or self._last[0] != number:
                self._last = self._seek(number)
            return self._last[1]

    def _seek(self, number: int) -> tuple[int, Line]:
        start = min(number // STRIDE, len(self._places) - 1) * STRIDE
        # A forked process shares the position in the file with its parent.
        ours = self._reader is not None and self._owner == os.getpid()
        if self._reader is None or not ours or not start <= self._next <= number:
            self._reader, self._next, self._owner = self._read(start), start, os.getpid()
        for found, line in self._reader:
            self._next = found + 1
            if found == number:
                return found, line
        self._reader = None
        raise IndexError(number)

    def _read(self, number: int) -> _Reader:
        """Yield the lines from ``number`` on, which is a multiple of ``STRIDE`` with a place."""
        with open_named(self.path) as stream:
            place = self._places[number]
            stream.seek(place)
            try:
                for length, line in _lines_in(stream, self.path.name):
                    if self._plain and number % STRIDE == 0:
                        self._places[number] = place
                    yield number, line
                    number += 1
                    place += length
            except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
                raise BadProgram(
                    f"expected a complete file, got {shown_path(self.path)}, which breaks off "
                    f"after {number:,} rows: {short_reason(error)}. Download it again."
                ) from error


def _lines_in(stream: BinaryIO, name: str) -> Iterator[tuple[int, Line]]:
    if name.endswith(".tar.gz"):
        yield from _archived(stream)
    else:
        with _decompressed(stream, name) as plain:
            yield from _bounded(plain)


def _archived(stream: BinaryIO) -> Iterator[tuple[int, Line]]:
    """Yield the lines of the files in an archive, one after another, and unpack nothing."""
    some = False
    # Not "r|gz": that takes an archive which is cut off between two files for a whole one.
    with (
        gzip.GzipFile(fileobj=stream) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(_MEMBERS) else None
            if file is None:  # another file, or a folder of this name
                continue
            some = True
            with _decompressed(file, member.name) as plain:
                yield from _bounded(plain)
        while unzipped.read(_READ_BYTES):  # to where the checksum is
            pass
    if not some:
        raise tarfile.ReadError(f"no file in it ends in {', '.join(_MEMBERS)}")


def _decompressed(stream: IO[bytes], name: str) -> IO[bytes]:
    if name.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))
    if name.endswith(".zst"):
        pyarrow = optional("pyarrow", "corpus")
        source = pyarrow.PythonFile(stream, mode="r")
        return io.BufferedReader(pyarrow.CompressedInputStream(source, "zstd"))
    return stream


def _bounded(stream: IO[bytes]) -> Iterator[tuple[int, Line]]:
    """Yield each line and its length; one that is too long is never whole in memory."""
    while line := stream.readline(MAX_LINE + 1):
        length = len(line)
        if length <= MAX_LINE:
            yield length, line
        else:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
                length += len(line)
            yield length, None
