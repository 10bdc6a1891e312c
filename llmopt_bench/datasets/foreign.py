"""Programs that somebody else has collected: some of them may be none, and none goes silently."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmopt_bench.datasets.base import Dataset
from llmopt_bench.datasets.file_uri import shown_path, unreadable
from llmopt_bench.errors import BadProgram, UnknownProgram
from llmopt_bench.plain_file import reason_of
from llmopt_bench.program import Program

UNKNOWN_LICENCE = "NOASSERTION"
"""SPDX's word for a licence that nobody stated."""
MOST_KEPT = 1_000
"""Failures that are kept; the others are counted, since millions of rows may fail."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A program that could not be loaded."""

    uri: str
    reason: str


@dataclass(slots=True)
class Failures:
    """What one iteration had to leave out."""

    count: int = 0
    first: list[Failure] = field(default_factory=list)
    """At most ``MOST_KEPT`` of them."""

    def add(self, failure: Failure) -> None:
        """Count a failure, and keep it if it is one of the first."""
        self.count += 1
        if len(self.first) < MOST_KEPT:
            self.first.append(failure)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a collection says about one of its programs; None where it says nothing."""

    package: str | None = None
    language: str | None = None
    licence: str | None = None
    licence_source: str | None = None
    """Who says so: a package index, a detector of licences, ..."""


class ForeignPrograms(Dataset):
    """Programs of a collection that was made elsewhere.

    Iteration yields the programs that load. One that does not is handed to ``on_failure`` and
    noted in ``failures``, and iteration goes on; a container that breaks off ends it with an
    error, for nobody knows what is lost.

    Args:
        on_failure: Called with each program that does not load.
    """

    version = "0"
    licence = UNKNOWN_LICENCE

    def __init__(self, on_failure: Callable[[Failure], object] | None = None) -> None:
        self._on_failure = on_failure
        self.failures = Failures()
        """What the iteration that was started last has left out so far."""

    @abstractmethod
    def _each(self) -> Iterator[tuple[str, Callable[[], Program]]]:
        """Yield the URI of each program and what loads it now, before the next is asked for."""

    def __iter__(self) -> Iterator[Program]:
        failures = self.failures = Failures()
        some = False
        for uri, load in self._each():
            some = True
            try:
                program = load()
            except BadProgram as error:
                failure = Failure(uri, str(error))
                failures.add(failure)
                if self._on_failure is not None:
                    self._on_failure(failure)
            else:
                yield program
        if not some:
            raise self._nothing()

    def __repr__(self) -> str:
        # Not the size: to count the programs may take a pass through all of them.
        return f"<Dataset {self.name} {self._place}>"

    @property
    @abstractmethod
    def _place(self) -> str:
        """Where the programs are, for messages."""

    def _nothing(self) -> BadProgram:
        return BadProgram(
            f"expected at least one program in {self._place}, got none. "
            "Check that it was written or downloaded completely."
        )


def walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files below a folder that have one of the endings, sorted folder by folder.

    Links to folders are not followed: they may lead back.

    Raises:
        BadProgram: It is a file, or a folder that may not be listed.
        UnknownProgram: There is no such folder.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        raise unreadable(folder, error) from error
    except (OSError, ValueError) as error:  # no name has a NUL byte in it
        raise BadProgram(
            f"expected a folder that can be listed, got {shown_path(folder)}: {reason_of(error)}."
        ) from error
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(folder / entry.name, suffixes)
        elif entry.name.endswith(suffixes):
            yield folder / entry.name


def no_files(folder: Path, suffixes: tuple[str, ...]) -> UnknownProgram:
    """Return the error for a folder without files of the endings."""
    return UnknownProgram(
        f"expected files that end in {' or '.join(suffixes)} below {shown_path(folder)}, got none. "
        "Name the folder that holds them."
    )
