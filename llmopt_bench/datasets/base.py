"""What a dataset is: a named, versioned family of programs, each with a URI of its own."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from llmopt_bench.errors import LlmoptError, UnknownProgram, shorten, shown, unknown
from llmopt_bench.execution import Expected
from llmopt_bench.program import Program

SEEDS = 2**32
"""The number of programs of a dataset that generates them."""


class Dataset(ABC):
    """A family of programs. Nothing is read before it is asked for."""

    name: ClassVar[str]
    """For example ``bundled-v1``. Another content, another name."""
    version: ClassVar[str]
    description: ClassVar[str]
    licence: ClassVar[str]
    """SPDX expression."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of programs, None if there is no end to them."""

    @property
    def installed(self) -> bool:
        """Whether its programs can be loaded on this machine as it is."""
        try:
            self.require()
        except LlmoptError:
            return False
        return True

    def require(self) -> None:  # noqa: B027  (most datasets need nothing)
        """See that its programs can be loaded on this machine as it is.

        Raises:
            MissingTool: An external program is not installed.
            NotBuilt: The dataset has to be built first.
        """

    @abstractmethod
    def uris(self) -> Iterator[str]:
        """Yield the URI of every program, always in the same order."""

    @abstractmethod
    def load(self, uri: str) -> Program:
        """Return one program.

        Raises:
            UnknownProgram: No program of this dataset has the URI.
        """

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Program:
        """Return a program that ``rng`` picks, each with the same probability."""

    def expected(self, uri: str) -> Expected | None:
        """Return what a program must do when it runs, whatever passes have made of it.

        None, as here, means that it cannot be run, or that nobody knows what it should do. A
        dataset of programs that can be run overrides this.

        Raises:
            UnknownProgram: No program of this dataset has the URI.
            MissingTool: It has to be run to know, and programs cannot be run on this machine.
        """
        return None

    def __iter__(self) -> Iterator[Program]:
        return map(self.load, self.uris())

    @property
    def family(self) -> str:
        """The first part of its URIs: its own name, or that of the dataset it is a part of."""
        return self.name

    @property
    def code_root(self) -> str:
        """Where its code is from: the set that it was made of. A program's is its name below."""
        return self.family

    @property
    def code_paths(self) -> frozenset[str]:
        """Paths of all of its code: a program's is below one of them. See ``share_code``."""
        return frozenset({self.code_root})

    def __repr__(self) -> str:
        size = "endless" if self.size is None else f"{self.size:,} programs"
        return f"<Dataset {self.name} {size}>"

    def _name_in(self, uri: str) -> str:
        """Return what follows the first part of a URI."""
        prefix = f"{self.family}/"
        if not uri.startswith(prefix):
            raise UnknownProgram(f"expected a URI that starts with {prefix!r}, got {shown(uri)}.")
        return uri.removeprefix(prefix)


class FiniteDataset(Dataset):
    """A dataset with a list of its programs."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The names of its programs: their URIs without the first part."""

    @property
    def size(self) -> int:
        """The number of programs."""
        return len(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def uris(self) -> Iterator[str]:
        """Yield the URI of every program, always in the same order."""
        return (f"{self.family}/{name}" for name in self.names)

    def random(self, rng: np.random.Generator) -> Program:
        """Return a program that ``rng`` picks, each with the same probability."""
        return self.load(f"{self.family}/{self.names[int(rng.integers(len(self)))]}")

    def _missing(self, name: str) -> UnknownProgram:
        return UnknownProgram(
            unknown(
                f"program of {self.name}",
                shorten(name),
                self.names,
                f"`make_dataset({self.name!r}).uris()` lists all {len(self):,}.",
            )
        )


class SeededDataset(Dataset):
    """A dataset of generated programs: the seed is the name."""

    @property
    def size(self) -> int | None:
        """None: more than anybody can go through."""
        return None

    def uris(self) -> Iterator[str]:
        """Yield the URIs by ascending seed."""
        return (f"{self.name}/{seed}" for seed in range(SEEDS))

    def random(self, rng: np.random.Generator) -> Program:
        """Return the program of a seed that ``rng`` picks."""
        return self.load(f"{self.name}/{int(rng.integers(SEEDS))}")

    def _seed_of(self, uri: str) -> int:
        name = self._name_in(uri)
        # One name for each program: not 007 for 7.
        if not re.fullmatch("0|[1-9][0-9]{0,9}", name) or int(name) >= SEEDS:
            raise UnknownProgram(
                f"expected {self.name}/<seed>, a plain number below 2**32, got {uri[:80]!r}."
            )
        return int(name)
