"""The recipe: which source packages a corpus is made of, and how each is compiled.

A recipe is a folder of TOML files, one for each area of software; each table is a package. The
keys are the fields of ``Package``; docs/corpus.md explains them with examples.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Literal, get_args

from llmopt_bench.errors import BadRecipe, shorten, shown, unknown

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
LANGUAGES = {".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".C": "c++"}
"""The endings of files that are compiled, and the language of each."""

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,60}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARCHIVE = re.compile(r"[A-Za-z0-9][\w.+~-]{0,120}")
_RELATIVE = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[^\0]{1,200}")
GENERATED_KEYS = frozenset({"template", "scan", "probe", "copy", "text", "set", "replace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A source package and how it is compiled. Paths are relative to its unpacked folder.

    Raises:
        BadRecipe: A value has the wrong type or form.
    """

    name: str
    """In URIs; lower case, digits and ``+.-``."""
    source: str
    """Name of Debian's source package, or the address of an archive."""
    version: str
    """Debian's version of the source package, or the upstream version with an address."""
    licence: str
    """SPDX expression of the files that are compiled."""
    archives: Mapping[str, str]
    """SHA-256 of each archive by its file name; the first is the package, others are unpacked in
    a folder named after their component (``x_1.0.orig-data.tar.xz``: ``data``)."""
    files: tuple[str, ...]
    """Patterns of the files to compile, as ``pathlib`` reads them; ``**`` is any folder."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out of them."""
    include: tuple[str, ...] = (".",)
    """Folders with headers."""
    uses: tuple[str, ...] = ()
    """Packages of this recipe whose headers are needed."""
    exports: tuple[str, ...] = ()
    """Folders with headers for packages that use this one; empty: ``include``."""
    defines: tuple[str, ...] = ()
    """Macros, ``NAME`` or ``NAME=VALUE``."""
    flags: tuple[str, ...] = ()
    """More arguments for clang, for example ``-std=gnu89`` or ``-include config.h``."""
    flags_by_pattern: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Arguments for those files alone that match the pattern."""
    generate: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Files that the package's own build would make, by path; see ``prepare.py``."""
    split: str = "train"
    """One of ``SPLITS``."""
    area: str = ""
    """Kind of software: the name of the TOML file."""

    def __post_init__(self) -> None:
        """Freeze lists and check every value."""
        for key in ("files", "exclude", "include", "uses", "exports", "defines", "flags"):
            object.__setattr__(self, key, _strings(self.name, key, getattr(self, key)))
        for key in ("name", "source", "version", "licence", "split", "area"):
            if not isinstance(getattr(self, key), str):
                raise _bad(self.name, key, "a string", getattr(self, key))
        if not _NAME.fullmatch(self.name):
            raise _bad(self.name, "name", "lower case letters, digits and '+.-'", self.name)
        if self.split not in SPLITS:
            raise _bad(self.name, "split", " or ".join(SPLITS), self.split)
        self._check_paths()
        self._check_archives()
        self._check_generate()
        by_pattern = {
            pattern: _strings(self.name, "flags_by_pattern", flags)
            for pattern, flags in _table(self.name, "flags_by_pattern", self.flags_by_pattern)
        }
        object.__setattr__(self, "flags_by_pattern", MappingProxyType(by_pattern))

    def _check_paths(self) -> None:
        for key in ("files", "exclude", "include", "exports"):
            for path in getattr(self, key):
                _check_relative(self.name, key, path)
                # Folders for one version of Python, their files too for another.
                if path.endswith("**"):
                    raise _bad(self.name, key, "patterns of files, such as **/*", path)
        if not self.files:
            raise _bad(self.name, "files", "at least one pattern", self.files)

    def _check_archives(self) -> None:
        archives = dict(_table(self.name, "archives", self.archives))
        if not archives:
            raise _bad(self.name, "archives", "at least one archive", archives)
        for file, digest in archives.items():
            if not _ARCHIVE.fullmatch(file):
                raise _bad(self.name, "archives", "the name of a file", file)
            if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
                raise _bad(self.name, f"archives.{file}", "a SHA-256 of 64 hex digits", digest)
        object.__setattr__(self, "archives", MappingProxyType(archives))

    def _check_generate(self) -> None:
        for path, how in _table(self.name, "generate", self.generate):
            _check_relative(self.name, "generate", path)
            for key in dict(_table(self.name, f"generate.{path}", how)):
                if key == "set" and "copy" in how:
                    raise _bad(self.name, f"generate.{path}", "set or copy", "both")
                if key not in GENERATED_KEYS:
                    where = f"{self.name}: generate.{path}"
                    raise BadRecipe(f"{where}: {unknown('key', shorten(key), GENERATED_KEYS)}")

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of all that decides what the package is compiled to, but the split."""
        content = _as_plain(self)
        del content["split"], content["area"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def exported(self) -> tuple[str, ...]:
        """Folders with headers for packages that use this one."""
        return self.exports or self.include


def _as_plain(package: Package) -> dict[str, Any]:
    """Return the fields as values of JSON."""
    plain = {f.name: getattr(package, f.name) for f in fields(package)}
    return {key: _plain(value) for key, value in plain.items()}


def read_recipe(folder: Traversable) -> Mapping[str, Package]:
    """Return the packages of the recipe in a folder by name, sorted.

    Raises:
        BadRecipe: A file is no TOML, or a package in it is wrong; the message says which.
    """
    found: dict[str, Package] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        for package in _read_area(file):
            if package.name in found:
                raise BadRecipe(
                    f"{file.name}: expected each package once, got {package.name} twice."
                )
            found[package.name] = package
    for package in found.values():
        for used in package.uses:
            if used not in found:
                raise BadRecipe(f"{package.name}: uses: {unknown('package', used, found)}")
    return MappingProxyType(dict(sorted(found.items())))


def _read_area(file: Traversable) -> list[Package]:
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadRecipe(f"{file.name}: expected TOML: {shorten(str(error), 300)}.") from error
    area = file.name.removesuffix(".toml")
    return [_package(file.name, name, table, area) for name, table in tables.items()]


def _package(file: str, name: str, table: object, area: str) -> Package:
    if not isinstance(table, dict):
        raise BadRecipe(f"{file}: {name}: expected a table, got {shown(table)}.")
    known = {f.name: f for f in fields(Package)}
    for key in table:
        if key not in known or key in ("name", "area"):
            raise BadRecipe(f"{file}: {name}: {unknown('key', shorten(key), known)}")
    for key, spec in known.items():
        required = spec.default is MISSING and spec.default_factory is MISSING
        if required and key != "name" and key not in table:
            raise BadRecipe(f"{file}: {name}: the key {key} is missing. Add it.")
    try:
        return Package(name=name, area=area, **table)
    except BadRecipe as error:
        raise BadRecipe(f"{file}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _strings(name: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _bad(name, key, "a list of strings", value)
    return tuple(value)


def _table(name: str, key: str, value: object) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise _bad(name, key, "a table", value)
    return list(value.items())


def _check_relative(name: str, key: str, path: str) -> None:
    if not _RELATIVE.fullmatch(path):
        raise _bad(name, key, "a path inside the package", path)


def _bad(name: object, key: str, expected: str, value: object) -> BadRecipe:
    return BadRecipe(f"{shown(name)}: {key}: expected {expected}, got {shown(value)}. Correct it.")
