"""A folder of bitcode files, as extractors of whole software distributions leave it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from llmopt_bench.datasets.file_uri import path_of, shown_path
from llmopt_bench.datasets.files import load_file
from llmopt_bench.datasets.foreign import Failure, ForeignPrograms, no_files, walk
from llmopt_bench.errors import UnknownProgram
from llmopt_bench.program import Program

SUFFIXES = (".bc",)


class FolderPrograms(ForeignPrograms):
    """The bitcode files below a folder, at any depth, sorted folder by folder.

    The URIs are those of the files, ``file:///absolute/x.bc``. The bitcode is taken as it is: the
    reference of a module whose functions lack ``minsize`` is weaker than ``clang -Oz``.

    Args:
        path: The folder.
        on_failure: Called with each file that is no program while iterating.
    """

    name = "folder"
    description = "The bitcode files (.bc) below a folder"

    def __init__(
        self, path: str | Path, *, on_failure: Callable[[Failure], object] | None = None
    ) -> None:
        super().__init__(on_failure)
        self.path = path_of(path)

    @functools.cached_property
    def files(self) -> tuple[Path, ...]:
        """All files; iteration does not need the list.

        Raises:
            UnknownProgram: There is no such folder, or no bitcode in it.
            BadProgram: A folder may not be listed.
        """
        return tuple(self._walk())

    @property
    def size(self) -> int:
        """The number of files."""
        return len(self.files)

    def uris(self) -> Iterator[str]:
        """Yield the URI of every file."""
        return (path.as_uri() for path in self._walk())

    def load(self, uri: str) -> Program:
        """Return the program in one file.

        Raises:
            UnknownProgram: There is no such file below the folder.
            BadProgram: It holds no bitcode.
        """
        path = path_of(uri)
        # ".." would lead out of the folder.
        if not path.is_relative_to(self.path) or ".." in path.parts or path.suffix not in SUFFIXES:
            raise UnknownProgram(
                f"expected a {' or '.join(SUFFIXES)} file below {self._place}, got "
                f"{shown_path(path)}. `load_program` takes any file."
            )
        return load_file(path)

    def random(self, rng: np.random.Generator) -> Program:
        """Return a program that ``rng`` picks, each with the same probability."""
        return load_file(self.files[int(rng.integers(self.size))])

    def _each(self) -> Iterator[tuple[str, Callable[[], Program]]]:
        for path in self._walk():
            yield path.as_uri(), functools.partial(load_file, path)

    def _walk(self) -> Iterator[Path]:
        some = False
        for path in walk(self.path, SUFFIXES):
            some = True
            yield path
        if not some:
            raise no_files(self.path, SUFFIXES)

    @property
    def _place(self) -> str:
        return shown_path(self.path)
