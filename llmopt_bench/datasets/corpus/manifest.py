"""The manifest: every function and file of a corpus by name, with a fingerprint and its split.

It is what a version of a corpus *is*. A build keeps what the manifest names and nothing else, so
two machines have the same programs, or one of them knows which it lacks. It is text, a line for
each function, compressed with xz: ``xz -dc functions.tsv.xz``.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from llmopt_bench.errors import BadRecipe

LEAST, MOST = 5, 2000
"""Instructions that a function of a corpus may have before it is optimized."""
DIGITS = 16
"""Hex digits of the SHA-256 of the bitcode; another bitcode has the same once in 10^19 times."""
FUNCTIONS, MODULES = "functions.tsv.xz", "modules.tsv.xz"
_MARKS = {"train": "t", "validation": "v", "test": "e", "mini": "m"}
_SPLITS = {mark: split for split, mark in _MARKS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the manifest says of a program."""

    uri: str
    """Without the name of the dataset."""
    fingerprint: str
    """The first ``DIGITS`` hex digits of the SHA-256 of its bitcode."""
    split: str
    """``train``, ``validation``, ``test``, or ``mini`` for those of ``test`` in the small task."""

    @property
    def package(self) -> str:
        """The package that it is from."""
        return self.uri.partition("/")[0]


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries, sorted by URI."""
    lines = [
        f"{entry.uri}\t{entry.fingerprint}\t{_MARKS[entry.split]}\n"
        for entry in sorted(entries, key=lambda entry: entry.uri)
    ]
    path.write_bytes(lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))


def read_manifest(file: Traversable) -> Mapping[str, Entry]:
    """Return the manifest in a file by URI, in the order of URIs.

    Raises:
        BadRecipe: It is damaged.
    """
    try:
        text = lzma.decompress(file.read_bytes()).decode()
        entries = [_entry(line) for line in text.splitlines()]
    except (OSError, lzma.LZMAError, ValueError, KeyError) as error:
        raise BadRecipe(
            f"expected the manifest {file.name}, got: {error}. Install the package again."
        ) from error
    return {entry.uri: entry for entry in entries}


def _entry(line: str) -> Entry:
    uri, fingerprint, mark = line.split("\t")
    return Entry(uri, fingerprint, _SPLITS[mark])


def by_package(entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
    """Return entries by their package."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.package, []).append(entry)
    return found
