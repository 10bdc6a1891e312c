"""For whoever makes a version of a corpus: decides which built functions are in it.

``python -m llmopt_bench.datasets.corpus.curate`` reads what a build of every package left and
writes the manifests. Users do not run it: the manifests are committed, and change only with the
version of the corpus. The rules, in this order:

1. A function whose code was seen before is left out: first in train, then in validation, then in
   test, by URI. Code is the same when its near hash is: names and constants do not matter. So no
   function of one split is a near-duplicate of one in another, or in its own.
2. At most ``MOST_OF_A_PACKAGE`` functions of one package, chosen by a hash of their URIs.
3. At most a third of the functions is C++.
4. Validation and test take turns over their packages until they have their number.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path

from llmopt_bench.datasets.corpus.corpus import Corpus, corpus_v1
from llmopt_bench.datasets.corpus.manifest import (
    DIGITS,
    FUNCTIONS,
    MODULES,
    Entry,
    write_manifest,
)
from llmopt_bench.datasets.corpus.recipe import SPLITS, Package
from llmopt_bench.datasets.corpus.staging import Staging
from llmopt_bench.errors import LlmoptError, NotBuilt

MOST_OF_A_PACKAGE = 2500
SIZES = {"validation": 2000, "test": 5000}
MINI = 500
MODULES_WANTED = 200
LEAST_OF_A_MODULE, MOST_OF_A_MODULE = 50, 20_000
"""Instructions of a whole file in the task of modules."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the rules look at."""

    uri: str
    package: str
    language: str
    sha256: str
    near_hash: str


def rank(uri: str) -> bytes:
    """Return the place of a program in the order of choice, which has nothing to do with it."""
    return hashlib.sha256(uri.encode()).digest()


def candidates(staging: Staging, packages: Iterable[Package]) -> Iterator[Candidate]:
    """Yield every function that was built, by split, then by URI."""
    for package in sorted(packages, key=lambda p: (SPLITS.index(p.split), f"{p.name}/")):
        for row in staging.functions(
            package.name, ["uri", "package", "language", "sha256", "near_hash"]
        ):
            yield Candidate(**row)


def without_duplicates(found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield the first function of each near hash."""
    seen: set[bytes] = set()
    for candidate in found:
        key = bytes.fromhex(candidate.near_hash)
        if key not in seen:
            seen.add(key)
            yield candidate


def per_package(found: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """Return the functions of each package in the order of choice, at most the allowed number."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in found:
        groups.setdefault(candidate.package, []).append(candidate)
    return {
        name: sorted(group, key=lambda c: rank(c.uri))[:MOST_OF_A_PACKAGE]
        for name, group in groups.items()
    }


def in_turns(groups: Iterable[list[Candidate]]) -> Iterator[Candidate]:
    """Yield the first of each group, then the second of each, and so on."""
    return (item for items in zip_longest(*groups) for item in items if item is not None)


def choose(recipe: Mapping[str, Package], found: Iterable[Candidate]) -> Iterator[Entry]:
    """Yield the entries of the manifest of functions."""
    groups = per_package(without_duplicates(found))
    chosen: dict[str, list[Candidate]] = {}
    for split in SPLITS:
        of_split = [groups[name] for name in sorted(groups) if recipe[name].split == split]
        chosen[split] = list(islice(in_turns(of_split), SIZES.get(split)))
    chosen["train"] = _bounded(chosen["train"], chain(chosen["validation"], chosen["test"]))
    for split, members in chosen.items():
        for number, member in enumerate(members):
            mark = "mini" if split == "test" and number < MINI else split
            yield Entry(member.uri, member.sha256[:DIGITS], mark)


def _bounded(train: list[Candidate], others: Iterable[Candidate]) -> list[Candidate]:
    """Return the train split with as many C++ functions as keep them a third of all."""
    rest = list(others)
    c = [candidate for candidate in train if candidate.language == "c"]
    others_c = sum(candidate.language == "c" for candidate in rest)
    allowed = (len(c) + others_c) // 2 - (len(rest) - others_c)
    cxx = sorted((x for x in train if x.language == "c++"), key=lambda x: rank(x.uri))
    return c + cxx[: max(0, allowed)]


def choose_modules(staging: Staging, packages: Iterable[Package]) -> Iterator[Entry]:
    """Yield the entries of the manifest of whole files: of test packages, by turns."""
    groups: list[list[tuple[str, str]]] = []
    seen: set[str] = set()
    for package in packages:
        group = []
        for row in staging.modules(package.name, ["uri", "sha256", "instructions_o0"]):
            fits = LEAST_OF_A_MODULE <= row["instructions_o0"] <= MOST_OF_A_MODULE
            if fits and row["sha256"] not in seen:
                seen.add(row["sha256"])
                group.append((row["uri"], row["sha256"]))
        groups.append(sorted(group, key=lambda pair: rank(pair[0])))
    turns = (item for items in zip_longest(*groups) for item in items if item is not None)
    for uri, sha256 in islice(turns, MODULES_WANTED):
        yield Entry(uri, sha256[:DIGITS], "test")


def write(corpus: Corpus, folder: Path) -> tuple[int, int]:
    """Write the manifests of a corpus of which every package is built; return their lengths.

    Raises:
        NotBuilt: A package is not.
    """
    staging = Staging(corpus.folder / "staging")
    recipe = corpus.recipe
    undone = [name for name, package in recipe.items() if not staging.outcome(package, recipe)]
    if undone:
        raise NotBuilt(f"expected all packages to be built, got none of {', '.join(undone)}.")
    functions = list(choose(recipe, candidates(staging, recipe.values())))
    tested = [package for package in recipe.values() if package.split == "test"]
    modules = list(choose_modules(staging, tested))
    write_manifest(folder / FUNCTIONS, functions)
    write_manifest(folder / MODULES, modules)
    return len(functions), len(modules)


def main(arguments: list[str]) -> int:
    """Write the manifests of the newest corpus; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(corpus_v1().name))
    folder = parser.parse_args(arguments).out
    try:
        functions, modules = write(corpus_v1(), folder)
    except LlmoptError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{functions:,} functions, {modules:,} files in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
