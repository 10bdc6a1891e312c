"""Packages that are done: what a build that goes on does not do again.

A package is two or three files in a folder: its functions, its whole files if it is a package of
the test split, and, written last, what became of it. The last one holds a key of everything that
decided the outcome; with another key the package is done anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmopt_bench.datasets.corpus import hermetic
from llmopt_bench.datasets.corpus.manifest import LEAST, MOST
from llmopt_bench.datasets.corpus.recipe import Package
from llmopt_bench.datasets.corpus.table import (
    function_schema,
    module_schema,
    read_rows,
    write_table,
)
from llmopt_bench.datasets.corpus.units import MOST_FILES, Unit

if TYPE_CHECKING:
    from llmopt_bench.datasets.corpus.split import FileResult

FORMAT = 1
"""Counts up when the code of this folder changes what a package comes to."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a package."""

    package: str
    key: str
    files: int = 0
    functions: int = 0
    library: int = 0
    """Functions left out because they are the standard library's."""
    size: int = 0
    """Functions left out because they have too few or too many instructions."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a file gave no functions, by its path; the path ``""`` is the package itself."""
    transient: list[str] = field(default_factory=list)
    """Those of the failures that another build should try again."""
    seconds: float = 0.0


class Staging:
    """The folder of the packages that are done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def outcome(self, package: Package, recipe: Mapping[str, Package]) -> Outcome | None:
        """Return what became of a package, None if it has to be done."""
        try:
            data: dict[str, Any] = json.loads((self.folder / f"{package.name}.json").read_bytes())
            outcome = Outcome(**data)
        except (OSError, ValueError, TypeError):
            # Never written, or by another version of this library: the package is done anew.
            return None
        if outcome.key != key_of(package, recipe) or not self._functions(package.name).is_file():
            return None
        return outcome

    def save(
        self,
        package: Package,
        outcome: Outcome,
        results: Sequence[tuple[Unit, FileResult]],
    ) -> None:
        """Keep what became of a package.

        Raises:
            OSError: It cannot be written; then the package counts as not done.
        """
        done = self.folder / f"{package.name}.json"
        done.unlink(missing_ok=True)
        rows = sorted(_function_rows(package, results), key=lambda row: row["uri"])
        write_table(self._functions(package.name), function_schema(), rows)
        modules = self._modules(package.name)
        if package.split == "test":
            rows = sorted(_module_rows(package, results), key=lambda row: row["uri"])
            write_table(modules, module_schema(), rows)
        else:
            modules.unlink(missing_ok=True)
        temporary = done.with_name(f".{done.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(outcome)), "utf-8")
        temporary.replace(done)

    def functions(
        self, package: str, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the functions of a package that is done, sorted by URI."""
        return read_rows(self._functions(package), columns)

    def modules(
        self, package: str, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the files of a package of the test split that is done, sorted by URI."""
        return read_rows(self._modules(package), columns)

    def _functions(self, package: str) -> Path:
        return self.folder / f"{package}.functions.parquet"

    def _modules(self, package: str) -> Path:
        return self.folder / f"{package}.modules.parquet"


def key_of(package: Package, recipe: Mapping[str, Package]) -> str:
    """Return a hash of all that decides what a package comes to."""
    from llmopt_bench._core import build_info

    parts = [
        str(FORMAT),
        hermetic.VERSION,
        str(build_info()["llvm_version"]),
        str((LEAST, MOST, MOST_FILES)),
        "modules" if package.split == "test" else "functions",
        package.fingerprint,
        *(recipe[name].fingerprint for name in package.uses),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _function_rows(
    package: Package, results: Sequence[tuple[Unit, FileResult]]
) -> Iterator[dict[str, Any]]:
    for unit, result in results:
        for row in result.rows:
            yield {
                "uri": f"{package.name}/{row.path}",
                "bitcode": row.bitcode,
                **_common(package, unit, row.bitcode),
                "split": package.split,
                "content_hash": row.content_hash,
                "near_hash": row.near_hash,
                "instructions_o0": row.instructions_o0,
                "instructions_oz": row.instructions_oz,
                "autophase": row.autophase,
                "text_length": row.text_length,
            }


def _module_rows(
    package: Package, results: Sequence[tuple[Unit, FileResult]]
) -> Iterator[dict[str, Any]]:
    for unit, result in results:
        yield {
            "uri": f"{package.name}/{unit.path}",
            "bitcode": result.bitcode,
            **_common(package, unit, result.bitcode),
            "instructions_o0": result.instructions,
        }


def _common(package: Package, unit: Unit, bitcode: bytes) -> dict[str, Any]:
    return {
        "package": package.name,
        "language": unit.language,
        "licence": package.licence,
        "sha256": hashlib.sha256(bitcode).hexdigest(),
    }
