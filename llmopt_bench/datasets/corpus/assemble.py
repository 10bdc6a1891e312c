"""The last step of a build: what the manifest names goes into one table, the rest is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmopt_bench.datasets.corpus.manifest import DIGITS, Entry, by_package
from llmopt_bench.datasets.corpus.staging import Staging
from llmopt_bench.datasets.corpus.table import (
    function_schema,
    module_schema,
    read_rows,
    write_table,
)

FUNCTIONS, MODULES = "functions.parquet", "modules.parquet"


@dataclass(slots=True)
class Differences:
    """Where a built table and the manifest disagree."""

    missing: list[str] = field(default_factory=list)
    """URIs that the manifest names and nobody built."""
    different: list[str] = field(default_factory=list)
    """URIs whose bitcode is another than the manifest's."""
    extra: list[str] = field(default_factory=list)
    """URIs that the manifest does not name."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.extra)

    def of(self, packages: Collection[str]) -> Differences:
        """Return those of the differences that are in some packages."""
        kept = (
            [uri for uri in uris if uri.partition("/")[0] in packages]
            for uris in (self.missing, self.different, self.extra)
        )
        return Differences(*kept)

    def packages(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how many are missing, different and extra, by package."""
        counts: dict[str, list[int]] = {}
        for position, uris in enumerate((self.missing, self.different, self.extra)):
            for uri in uris:
                counts.setdefault(uri.partition("/")[0], [0, 0, 0])[position] += 1
        return {name: (a, b, c) for name, (a, b, c) in sorted(counts.items())}


def assemble(
    staging: Staging,
    done: Collection[str],
    functions: Mapping[str, Entry],
    modules: Mapping[str, Entry],
    target: Path,
) -> tuple[Differences, Differences]:
    """Write the two tables of a corpus from the packages that are done.

    Returns where what was built is not what was meant, for functions and for files. A program
    with another fingerprint is left out: under its name there may only be the one that the
    manifest means.
    """
    target.mkdir(parents=True, exist_ok=True)
    found = (Differences(), Differences())
    write_table(
        target / FUNCTIONS, function_schema(), _kept(staging.functions, done, functions, found[0])
    )
    write_table(target / MODULES, module_schema(), _kept(staging.modules, done, modules, found[1]))
    return found


def compare(table: Path, manifest: Mapping[str, Entry]) -> Differences:
    """Return where a table and the manifest disagree, by the bitcode itself.

    Raises:
        BadProgram: The table is damaged.
    """
    found = Differences()
    seen = set()
    # All columns, although two would do: their checksums are looked at on the way.
    for row in read_rows(table):
        uri, digest = row["uri"], hashlib.sha256(row["bitcode"]).hexdigest()
        seen.add(uri)
        if uri not in manifest:
            found.extra.append(uri)
        elif digest[:DIGITS] != manifest[uri].fingerprint:
            found.different.append(uri)
    found.missing.extend(uri for uri in manifest if uri not in seen)
    return found


def _kept(
    rows_of: Callable[[str], Iterator[dict[str, Any]]],
    done: Collection[str],
    manifest: Mapping[str, Entry],
    found: Differences,
) -> Iterator[dict[str, Any]]:
    """Yield the rows that the manifest means, in the order of URIs; note what is not as it says."""
    packages = by_package(manifest.values())
    for package in sorted(packages, key=lambda name: f"{name}/"):
        wanted = {entry.uri for entry in packages[package]}
        for row in rows_of(package) if package in done else ():
            uri = row["uri"]
            if uri not in wanted:
                continue
            wanted.remove(uri)
            entry = manifest[uri]
            if row["sha256"][:DIGITS] != entry.fingerprint:
                found.different.append(uri)
                continue
            if "split" in row:
                row["split"] = "test" if entry.split == "mini" else entry.split
            yield row
        found.missing.extend(sorted(wanted))
