"""The translation units of a package: which files are compiled, and with which arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmopt_bench.datasets.corpus.recipe import LANGUAGES, Package

MOST_FILES = {"c": 60, "c++": 16}
"""Files of one package that are compiled, at most, chosen by a hash of their paths. Many packages
with some files each are worth more than all files of a few, and C++ takes long to compile."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One file to compile."""

    package: str
    path: str
    """Relative to the folder of the package."""
    language: str
    flags: tuple[str, ...]


def units_of(package: Package, recipe: Mapping[str, Package], root: Path) -> list[Unit]:
    """Return the files of a package that are compiled, sorted by path.

    Args:
        package: The package.
        recipe: All packages, for those whose headers are needed. Their folders lie beside ``root``.
        root: The unpacked and prepared folder of the package.
    """
    chosen = _matching(root, package.files) - _matching(root, package.exclude)
    common = _flags(package, recipe)
    special = {
        pattern: (_matching(root, (pattern,)), flags)
        for pattern, flags in package.flags_by_pattern.items()
    }
    return [
        Unit(
            package.name,
            path,
            language,
            (*common, *(flag for paths, own in special.values() if path in paths for flag in own)),
        )
        for path, language in sorted(_some(chosen))
    ]


def _some(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the sources among the files with their language, at most ``MOST_FILES``."""
    left = dict(MOST_FILES)
    for path in sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest()):
        language = LANGUAGES.get(PurePosixPath(path).suffix)
        if language is not None and left[language]:
            left[language] -= 1
            yield path, language


def _flags(package: Package, recipe: Mapping[str, Package]) -> tuple[str, ...]:
    own = [f"-I{folder}" for folder in package.include]
    others = [f"-I../{name}/{folder}" for name in package.uses for folder in recipe[name].exported]
    return (*own, *others, *(f"-D{macro}" for macro in package.defines), *package.flags)


def _matching(root: Path, patterns: tuple[str, ...]) -> set[str]:
    return {
        file.relative_to(root).as_posix()
        for pattern in patterns
        for file in root.glob(pattern)
        if file.is_file()
    }
