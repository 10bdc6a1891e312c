"""Files that hold many programs, one in each row: what the formats have in common."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import ClassVar

import numpy as np

from llmopt_bench.datasets.file_uri import path_of, row_uri, shown_path, split_row
from llmopt_bench.datasets.foreign import Failure, ForeignPrograms, Origin, no_files, walk
from llmopt_bench.errors import BadProgram, UnknownProgram
from llmopt_bench.program import Program


class RowPrograms(ForeignPrograms):
    """The programs in the rows of a file, or of the files below a folder.

    A program's URI is that of its file with the number of the row, from 0, behind it:
    ``file:///absolute/x.parquet#17``.

    Args:
        path: A file, or a folder, whose files are found at any depth and sorted.
        on_failure: Called with each program that does not load while iterating.
    """

    suffixes: ClassVar[tuple[str, ...]]
    """How files of this format end."""

    def __init__(
        self, path: str | Path, *, on_failure: Callable[[Failure], object] | None = None
    ) -> None:
        super().__init__(on_failure)
        self.path = path_of(path)

    @functools.cached_property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order of iteration.

        Raises:
            UnknownProgram: There is nothing at the path, or no such file below it.
            BadProgram: The file has another ending.
        """
        if not os.path.isdir(self.path):  # noqa: PTH112  (Path.is_dir raises for some paths)
            return (self._checked(self.path),)
        found = tuple(walk(self.path, self.suffixes))
        if not found:
            raise no_files(self.path, self.suffixes)
        return found

    @property
    def size(self) -> int:
        """The number of rows, whether they load or not."""
        return self._ends[-1]

    def uris(self) -> Iterator[str]:
        """Yield the URI of every row, file by file."""
        for path in self.files:
            prefix = path.as_uri()
            yield from (f"{prefix}#{row}" for row in range(self._count(path)))

    def load(self, uri: str) -> Program:
        """Return the program in one row.

        Raises:
            UnknownProgram: There is no such row.
            BadProgram: The row holds no program, or the file is broken.
            MissingTool: What reads the format is not installed.
        """
        path, row = self._found(uri)
        return self._load(path, row)

    def origin(self, uri: str) -> Origin:
        """Return what a row says about where its program comes from.

        Raises:
            UnknownProgram, BadProgram, MissingTool: As ``load``.
        """
        path, row = self._found(uri)
        return self._origin(path, row)

    def random(self, rng: np.random.Generator) -> Program:
        """Return the program of a row that ``rng`` picks, each with the same probability.

        Raises:
            BadProgram: There are no rows, or the one that was picked holds no program.
        """
        if not self.size:
            raise self._nothing()
        number = int(rng.integers(self.size))
        index = bisect_right(self._ends, number)
        first = self._ends[index - 1] if index else 0
        return self._load(self.files[index], number - first)

    @abstractmethod
    def _count(self, path: Path) -> int:
        """Return the number of rows in a file."""

    @abstractmethod
    def _rows(self, path: Path) -> Iterator[Callable[[], Program]]:
        """Yield what loads each row of a file."""

    @abstractmethod
    def _load(self, path: Path, row: int) -> Program:
        """Return the program in a row; raise ``_no_row`` if there are not that many."""

    @abstractmethod
    def _origin(self, path: Path, row: int) -> Origin:
        """Return what a row says about its program."""

    def _each(self) -> Iterator[tuple[str, Callable[[], Program]]]:
        for path in self.files:
            for row, load in enumerate(self._rows(path)):
                yield row_uri(path, row), load

    @functools.cached_property
    def _ends(self) -> tuple[int, ...]:
        """The number of rows up to the end of each file."""
        return tuple(accumulate(map(self._count, self.files)))

    @functools.cached_property
    def _known(self) -> frozenset[Path]:
        return frozenset(self.files)

    @property
    def _place(self) -> str:
        return shown_path(self.path)

    def _found(self, uri: str) -> tuple[Path, int]:
        path, row = split_row(uri)
        if path not in self._known:
            raise UnknownProgram(
                f"expected a row of {self._place}, got one of {shown_path(path)}. "
                "`load_program` takes any file."
            )
        return path, row

    def _checked(self, path: Path) -> Path:
        if not path.name.endswith(self.suffixes):
            raise BadProgram(
                f"expected a file that ends in {' or '.join(self.suffixes)}, or a folder of them, "
                f"got {shown_path(path)}. Rename it to what it holds."
            )
        return path


def no_row(path: Path, row: int, rows: int) -> UnknownProgram:
    """Return the error for a number that no row has."""
    there = f"from 0 to {rows - 1:,}" if rows else "none: it is empty"
    return UnknownProgram(
        f"expected a row of {shown_path(path)}, which has {there}, got row {row:,}. Take another."
    )
