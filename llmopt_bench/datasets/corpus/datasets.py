"""The corpus as datasets: all of it, its splits, and the whole files of the test split."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from llmopt_bench.datasets.base import FiniteDataset
from llmopt_bench.datasets.corpus.corpus import Corpus, corpus_v1
from llmopt_bench.datasets.corpus.manifest import Entry
from llmopt_bench.datasets.corpus.table import Table
from llmopt_bench.errors import NotBuilt, UnknownProgram, shorten, unknown
from llmopt_bench.program import Program


class CorpusDataset(FiniteDataset):
    """Programs of a corpus: named by its manifest, read from a table that is built here.

    What there is can be listed anywhere; to load a program, the corpus has to be built once.
    """

    version = "1"
    licence = "one for each package"
    splits: ClassVar[frozenset[str] | None] = None
    """The marks in the manifest of the programs in it; None: all."""

    @property
    def corpus(self) -> Corpus:
        """The corpus that it is of."""
        return corpus_v1()

    @property
    def family(self) -> str:
        """The first part of its URIs."""
        return "corpus-v1"

    @property
    def code_root(self) -> str:
        """The corpus, for whole files as for functions."""
        return "corpus-v1"

    @property
    def code_paths(self) -> frozenset[str]:
        """The packages that it has programs of: no package is in two splits."""
        packages = {name.partition("/")[0] for name in self.names}
        return frozenset(f"{self.code_root}/{package}" for package in packages)

    @property
    def manifest(self) -> Mapping[str, Entry]:
        """What the corpus has, by name."""
        return self.corpus.functions

    @property
    def table(self) -> Path:
        """The file that holds the programs."""
        return self.corpus.function_table

    @functools.cached_property
    def names(self) -> Sequence[str]:
        """``<package>/<file>/<function>``, sorted."""
        return tuple(
            name
            for name, entry in self.manifest.items()
            if self.splits is None or entry.split in self.splits
        )

    def require(self) -> None:
        """See that the corpus has been built on this machine.

        Raises:
            NotBuilt: It has not.
        """
        self.corpus.require_built()

    @property
    def licences(self) -> Mapping[str, str]:
        """SPDX expression of each package that has programs in it."""
        packages = {self.manifest[name].package for name in self.names}
        return {name: self.corpus.recipe[name].licence for name in sorted(packages)}

    def load(self, uri: str) -> Program:
        """Return a program.

        Raises:
            UnknownProgram: It is not one of this dataset.
            NotBuilt: The corpus, or the package of this program, is not built on this machine.
            BadProgram: The table is damaged.
        """
        name = self._name_in(uri)
        entry = self.manifest.get(name)
        if entry is None or (self.splits is not None and entry.split not in self.splits):
            raise self._missing(name)
        bitcode = self._open().bitcode(name)
        if bitcode is None:
            raise NotBuilt(
                f"expected {uri} in {self.table}, got a build without it. `llmopt-bench datasets "
                f"verify {self.family}` says what is missing, `llmopt-bench datasets build "
                f"{self.family} --packages {entry.package}` builds its package again."
            )
        return Program(uri, bitcode)

    def __iter__(self) -> Iterator[Program]:
        """Yield the programs in the order of the table, in constant memory.

        Raises:
            NotBuilt: The corpus, or some of it, is not built on this machine.
        """
        wanted = iter(self.names)
        expected = next(wanted, None)
        table = self._open()
        for group in range(table.groups):
            if expected is None:
                return
            for row in table.read_group(group, ["uri", "bitcode"]):
                if row["uri"] == expected:
                    yield Program(f"{self.family}/{expected}", row["bitcode"])
                    expected = next(wanted, None)
        if expected is not None:
            # Raises: it is missing, or the table is not sorted as the manifest is.
            yield self.load(f"{self.family}/{expected}")

    def _missing(self, name: str) -> UnknownProgram:
        package = name.partition("/")[0]
        near = [known for known in self.names if known.startswith(f"{package}/")]
        packages = {entry.package for entry in self.manifest.values()}
        advice = f"`make_dataset({self.name!r}).uris()` lists all {len(self):,}."
        what = f"program of {self.name}" if near else f"package of {self.name}"
        asked, known = (name, near) if near else (package, packages)
        return UnknownProgram(unknown(what, shorten(asked), known, advice))

    def _open(self) -> Table:
        self.require()
        return _table(self.table, self.table.stat().st_mtime_ns)


class CorpusFunctions(CorpusDataset):
    """Every function of the corpus."""

    name = "corpus-v1"
    description = "Functions of real C and C++ software, built here from Debian 12's sources"


class CorpusTrain(CorpusDataset):
    """What agents may learn from."""

    name = "corpus-train-v1"
    description = "The functions of corpus-v1 to train on"
    splits = frozenset({"train"})


class CorpusValidation(CorpusDataset):
    """What hyper-parameters are chosen on."""

    name = "corpus-validation-v1"
    description = "The functions of corpus-v1 to choose between models, of packages not trained on"
    splits = frozenset({"validation"})


class CorpusTest(CorpusDataset):
    """What results are reported on."""

    name = "corpus-functions-v1"
    description = "The functions of corpus-v1 to test on, of packages that no other split has"
    splits = frozenset({"test", "mini"})


class CorpusMini(CorpusDataset):
    """A part of the test split that is soon done."""

    name = "corpus-functions-mini-v1"
    description = "A tenth of corpus-functions-v1"
    splits = frozenset({"mini"})


class CorpusModules(CorpusDataset):
    """Whole files of the packages of the test split."""

    name = "corpus-modules-v1"
    description = "Whole C and C++ files of the test packages of corpus-v1"

    @property
    def family(self) -> str:
        """The first part of its URIs."""
        return self.name

    @property
    def manifest(self) -> Mapping[str, Entry]:
        """What the corpus has, by name."""
        return self.corpus.modules

    @property
    def table(self) -> Path:
        """The file that holds the programs."""
        return self.corpus.module_table


CORPUS_DATASETS = (
    CorpusFunctions,
    CorpusTrain,
    CorpusValidation,
    CorpusTest,
    CorpusMini,
    CorpusModules,
)


@functools.lru_cache(maxsize=4)
def _table(path: Path, changed: int) -> Table:
    """Keep a table open; one that was built anew since is another."""
    return Table(path)
