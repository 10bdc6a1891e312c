"""A version of the corpus: recipe, manifests and the folder it is built in, as one value."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from llmopt_bench.datasets.corpus import assemble, manifest
from llmopt_bench.datasets.corpus.assemble import Differences
from llmopt_bench.datasets.corpus.manifest import Entry, read_manifest
from llmopt_bench.datasets.corpus.place import corpus_home
from llmopt_bench.datasets.corpus.recipe import Package, read_recipe
from llmopt_bench.datasets.corpus.staging import Outcome
from llmopt_bench.errors import NotBuilt, Unavailable, UnknownName, shorten, unknown

if TYPE_CHECKING:
    from llmopt_bench.datasets.corpus.builder import Watcher

REPORT, LOCK = "build.json", ".lock"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How a build ended."""

    outcomes: Mapping[str, Outcome]
    functions: Differences
    modules: Differences
    """Where the packages that were asked for are not as the manifests say."""
    seconds: float
    kept: tuple[int, int]
    """How many functions and files the tables hold, those of earlier builds included."""

    @property
    def complete(self) -> bool:
        """Whether all of the packages that were asked for is there, and right."""
        return not self.functions and not self.modules

    @property
    def failed_packages(self) -> Mapping[str, str]:
        """Why a package is missing altogether, by name."""
        failures = ((name, outcome.failures.get("")) for name, outcome in self.outcomes.items())
        return {name: reason for name, reason in failures if reason}


class Corpus:
    """What a corpus is made of, and where it lies on this machine."""

    def __init__(self, definition: Traversable, folder: Path) -> None:
        """Take the recipe and the manifests in ``definition``; build and read in ``folder``."""
        self._definition = definition
        self.folder = folder

    @property
    def name(self) -> str:
        """The name of the corpus, which is that of its folder."""
        return self.folder.name

    @functools.cached_property
    def recipe(self) -> Mapping[str, Package]:
        """The packages by name."""
        return read_recipe(self._definition)

    @functools.cached_property
    def functions(self) -> Mapping[str, Entry]:
        """The manifest of functions, by name."""
        return read_manifest(self._definition / manifest.FUNCTIONS)

    @functools.cached_property
    def modules(self) -> Mapping[str, Entry]:
        """The manifest of whole files, by name."""
        return read_manifest(self._definition / manifest.MODULES)

    @property
    def function_table(self) -> Path:
        """The Parquet file of functions."""
        return self.folder / assemble.FUNCTIONS

    @property
    def module_table(self) -> Path:
        """The Parquet file of whole files."""
        return self.folder / assemble.MODULES

    @property
    def report_file(self) -> Path:
        """What the last build said of every package and file."""
        return self.folder / REPORT

    @property
    def built(self) -> bool:
        """Whether a build has come to its end here."""
        return self.report_file.is_file()

    def build(
        self,
        watcher: Watcher,
        *,
        jobs: int | None = None,
        mirror: str | None = None,
        packages: Sequence[str] | None = None,
    ) -> BuildReport:
        """Build the corpus in its folder, or go on with a build.

        Args:
            watcher: Is told how it goes (``builder.Watcher``).
            jobs: Worker processes; None: one for each core.
            mirror: Address of a Debian mirror; None: the one that this machine uses.
            packages: Names of the packages to build; None: all.

        Raises:
            UnknownName: A package is not in the recipe.
            MissingTool: Something is not installed.
            Unavailable: Another build works in the folder.
            OSError: A file cannot be written. What was done is kept.
        """
        names = self._chosen(packages)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            return self._build(watcher, names, jobs, mirror)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other builds out of the folder; the lock goes with this process, however it ends."""
        with (self.folder / LOCK).open("wb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Unavailable(
                    f"expected no other build in {self.folder}, got one that runs. Wait for it, or "
                    "name another folder with LLMOPT_DATA."
                ) from error
            yield

    def _build(
        self, watcher: Watcher, names: Sequence[str], jobs: int | None, mirror: str | None
    ) -> BuildReport:
        from llmopt_bench.datasets.corpus.builder import Builder

        start = time.monotonic()
        builder = Builder(
            self.recipe,
            self.folder,
            self.folder.parent / "archives",
            jobs=jobs or len(os.sched_getaffinity(0)),
            mirror=mirror,
        )
        outcomes = builder.run(names, watcher)
        # What earlier builds did counts, also when this one was asked for a few packages only.
        done = {
            name: outcome
            for name, package in self.recipe.items()
            if (outcome := builder.staging.outcome(package, self.recipe))
        }
        outcomes |= done
        self.report_file.unlink(missing_ok=True)
        functions, modules = assemble.assemble(
            builder.staging, done.keys(), self.functions, self.modules, self.folder
        )
        seconds = time.monotonic() - start
        kept = (
            len(self.functions) - len(functions.missing) - len(functions.different),
            len(self.modules) - len(modules.missing) - len(modules.different),
        )
        self._write(BuildReport(outcomes, functions, modules, seconds, kept))
        return BuildReport(outcomes, functions.of(names), modules.of(names), seconds, kept)

    def verify(self) -> tuple[Differences, Differences]:
        """Return where the tables of functions and of files differ from the manifests.

        Raises:
            NotBuilt: There are none.
            BadProgram: A table is damaged.
        """
        self.require_built()
        return (
            assemble.compare(self.function_table, self.functions),
            assemble.compare(self.module_table, self.modules),
        )

    def require_built(self) -> None:
        """See that the corpus is there.

        Raises:
            NotBuilt: It is not.
        """
        if not self.built:
            raise NotBuilt(
                f"expected {self.name} in {self.folder.parent}, got none. Build it with "
                f"`llmopt-bench datasets build {self.name}`."
            )

    def _chosen(self, packages: Sequence[str] | None) -> list[str]:
        for name in packages or ():
            if name not in self.recipe:
                raise UnknownName(unknown("package", shorten(name), self.recipe))
        return list(dict.fromkeys(packages)) if packages else list(self.recipe)

    def _write(self, report: BuildReport) -> None:
        """Write what happened, last: this file says that the tables are whole."""
        from llmopt_bench._core import build_info
        from llmopt_bench.datasets.corpus import hermetic

        data = {
            "corpus": self.name,
            "llvm": build_info()["llvm_version"],
            "compiler": f"{hermetic.PACKAGE} {hermetic.VERSION}",
            "seconds": round(report.seconds, 1),
            "packages": [asdict(outcome) for _, outcome in sorted(report.outcomes.items())],
            "functions": asdict(report.functions),
            "modules": asdict(report.modules),
        }
        temporary = self.folder / f".{REPORT}.{os.getpid()}"
        temporary.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
        temporary.replace(self.report_file)


@functools.cache
def _corpus(name: str, home: Path) -> Corpus:
    return Corpus(resources.files(__package__) / name, home / name)


def corpus_v1() -> Corpus:
    """Return the first version of the corpus."""
    return _corpus("corpus-v1", corpus_home())
