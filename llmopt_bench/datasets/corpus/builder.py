"""Makes a corpus: fetch, unpack, compile and take apart, package by package, all cores busy.

What is done is kept (``staging.py``), so a build that was interrupted goes on where it was. A
package or a file that fails is reported and the rest goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from llmopt_bench.datasets.corpus import hermetic
from llmopt_bench.datasets.corpus.fetch import Fetcher
from llmopt_bench.datasets.corpus.prepare import prepare
from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.datasets.corpus.split import FileResult
from llmopt_bench.datasets.corpus.staging import Outcome, Staging, key_of
from llmopt_bench.datasets.corpus.units import Unit, units_of
from llmopt_bench.datasets.corpus.unpack import unpack
from llmopt_bench.datasets.corpus.work import Failure, do_unit, start_worker
from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import (
    BadArchive,
    BadRecipe,
    CompilerKilled,
    MissingTool,
    Unavailable,
)

_AHEAD = 150
"""Files that may wait for a core before the next package is fetched: bounds memory and disk."""


class Watcher(Protocol):
    """Is told how a build goes."""

    def planned(self, packages: int) -> None:
        """So many packages are to be done."""

    def opened(self, package: str, files: int) -> None:
        """A package is laid out; it has so many files to compile."""

    def compiled(self, package: str) -> None:
        """One more file is done."""

    def finished(self, outcome: Outcome) -> None:
        """A package is done, now or by an earlier build."""


@dataclass(slots=True)
class _Job:
    """A package whose files are being compiled."""

    package: Package
    outcome: Outcome
    started: float
    units: list[Unit]
    results: list[tuple[Unit, FileResult]] = field(default_factory=list)

    def take(self, unit: Unit, result: FileResult | Failure) -> bool:
        """Add the result of a file; return whether it was the last."""
        if isinstance(result, Failure):
            self.outcome.failures[unit.path] = result.reason
            if result.transient:
                self.outcome.transient.append(unit.path)
        else:
            self.results.append((unit, result))
        return len(self.results) + len(self.outcome.failures) == len(self.units)


class Builder:
    """One build of one recipe in one folder."""

    def __init__(
        self,
        recipe: Mapping[str, Package],
        folder: Path,
        archives: Path,
        *,
        jobs: int,
        mirror: str | None = None,
    ) -> None:
        """Prepare a build.

        Args:
            recipe: All packages by name.
            folder: Where to work; what is done lies in ``staging`` below it.
            archives: Where fetched archives are kept, for all corpora.
            jobs: Worker processes.
            mirror: Address of a Debian mirror; None: the one that this machine uses.

        Raises:
            MissingTool: The compiler or pyarrow is not installed.
        """
        hermetic.require()
        optional("pyarrow.parquet", "corpus")
        self.recipe = recipe
        self.staging = Staging(folder / "staging")
        self._sources = folder / "sources"
        self._scratch = folder / "scratch"
        self._fetcher = Fetcher(archives, mirror)
        self._jobs = jobs
        self._laid_out: dict[str, Path] = {}

    def run(self, packages: Sequence[str], watcher: Watcher) -> dict[str, Outcome]:
        """Do the packages that are not done yet; return what became of each.

        Raises:
            OSError: The disk is full, for example. What was done before is kept.
            KeyboardInterrupt: As always; what was done before is kept.
        """
        watcher.planned(len(packages))
        outcomes: dict[str, Outcome] = {}
        missing = []
        for name in packages:
            outcome = self.staging.outcome(self.recipe[name], self.recipe)
            if outcome is None or outcome.transient:
                missing.append(self.recipe[name])
            else:
                outcomes[name] = outcome
                watcher.finished(outcome)
        self._clean()
        try:
            with closing(self._do(missing, watcher)) as done:
                for outcome in done:
                    outcomes[outcome.package] = outcome
                    watcher.finished(outcome)
        finally:
            self._clean()
        return outcomes

    def _clean(self) -> None:
        for folder in (self._sources, self._scratch):
            shutil.rmtree(folder, ignore_errors=True)
        self._laid_out.clear()

    def _do(self, packages: Sequence[Package], watcher: Watcher) -> Generator[Outcome, None, None]:
        if not packages:
            return
        self._scratch.mkdir(parents=True)
        # Children of this very process, so that they can notice when it is killed.
        workers = ProcessPoolExecutor(
            self._jobs,
            multiprocessing.get_context("spawn"),
            initializer=start_worker,
            initargs=(os.getpid(),),
        )
        with ThreadPoolExecutor(1) as layer, workers as pool:
            try:
                yield from self._pump(list(packages), watcher, layer, pool)
            except BrokenProcessPool as error:
                raise CompilerKilled(
                    "expected worker processes that last, and one was killed: too little memory? "
                    "Build again, perhaps with fewer --jobs; what was done is kept."
                ) from error
            except BaseException:
                # Waits for the files at hand: what is cleaned up afterwards is then left alone.
                layer.shutdown(cancel_futures=True)
                pool.shutdown(cancel_futures=True)
                raise

    def _pump(
        self,
        waiting: list[Package],
        watcher: Watcher,
        layer: ThreadPoolExecutor,
        pool: ProcessPoolExecutor,
    ) -> Iterator[Outcome]:
        """Keep one package in the laying out and all cores busy until all are done."""
        compiling: dict[Future[FileResult | Failure], tuple[_Job, Unit]] = {}
        laying: Future[_Job | Outcome] | None = None
        while waiting or laying or compiling:
            if laying is None and waiting and len(compiling) < _AHEAD:
                laying = layer.submit(self._lay_out, waiting.pop(0))
            watched: list[Future[Any]] = [*compiling, *([laying] if laying else [])]
            wait(watched, return_when=FIRST_COMPLETED)
            if laying and laying.done():
                job = laying.result()
                laying = None
                if isinstance(job, Outcome):
                    yield job
                else:
                    watcher.opened(job.package.name, len(job.units))
                    compiling |= self._submit(job, pool)
            for future in [future for future in compiling if future.done()]:
                job, unit = compiling.pop(future)
                watcher.compiled(job.package.name)
                if job.take(unit, future.result()):
                    yield self._finish(job)

    def _submit(
        self, job: _Job, pool: ProcessPoolExecutor
    ) -> dict[Future[FileResult | Failure], tuple[_Job, Unit]]:
        root = self._laid_out[job.package.name]
        return {pool.submit(do_unit, unit, root, self._scratch): (job, unit) for unit in job.units}

    def _lay_out(self, package: Package) -> _Job | Outcome:
        """Fetch, unpack and prepare a package and those whose headers it needs."""
        outcome = Outcome(package=package.name, key=key_of(package, self.recipe))
        started = time.monotonic()
        try:
            for name in (*package.uses, package.name):
                if name not in self._laid_out:
                    self._laid_out[name] = self._unpack(self.recipe[name])
            units = units_of(package, self.recipe, self._laid_out[package.name])
        except (BadArchive, BadRecipe, MissingTool, Unavailable) as error:
            outcome.failures[""] = str(error)
            return outcome
        if not units:
            outcome.failures[""] = "expected files that match `files` in the recipe, got none."
            return outcome
        outcome.files = len(units)
        return _Job(package, outcome, started, units)

    def _unpack(self, package: Package) -> Path:
        root = self._sources / package.name
        # What an attempt left that failed half-way.
        shutil.rmtree(root, ignore_errors=True)
        self._fetcher.fetch(package)
        unpack(package, self._fetcher.folder, root)
        prepare(package, root)
        return root

    def _finish(self, job: _Job) -> Outcome:
        """Keep a package whose files are all done."""
        outcome = job.outcome
        outcome.functions = sum(len(result.rows) for _, result in job.results)
        outcome.library = sum(result.library for _, result in job.results)
        outcome.size = sum(result.size for _, result in job.results)
        outcome.seconds = time.monotonic() - job.started
        job.results.sort(key=lambda pair: pair[0].path)
        self.staging.save(job.package, outcome, job.results)
        return outcome
