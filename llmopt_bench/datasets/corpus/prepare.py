"""The files that a package's own build would make before it compiles: mostly ``config.h``.

Running each package's ``configure`` would take minutes and look at the machine it runs on. What it
would find out about the C library is known (``libc.py``), so its template can be filled in at
once. The recipe says what cannot be known from there. The keys of ``generate."path"``:

``template``
    A ``config.h.in`` of Autoconf or CMake: ``#undef X``, ``#cmakedefine X``, ``@X@``.
``scan``
    Without a template: define what the package's sources mention as ``HAVE_...`` or ``SIZEOF_...``
    and the C library has.
``probe``
    Without a template: define those of the listed macros that the C library has.
``copy``
    Another file of the package, as it is.
``text``
    What the file holds, or what is added at the end of one of the above.
``set``
    Values of macros: true is 1, false leaves it undefined, a number or text is the value; a text
    is put down as it is, so a string literal needs quotes of its own.
``replace``
    Pairs of texts: the first, which must be there, is replaced by the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llmopt_bench.datasets.corpus.libc import answer
from llmopt_bench.datasets.corpus.recipe import LANGUAGES, Package
from llmopt_bench.errors import BadRecipe, shown

_UNDEF = re.compile(r"^([ \t]*#[ \t]*)undef[ \t]+(\w+)[^\n]*$", re.MULTILINE)
_CMAKEDEFINE = re.compile(
    r"^([ \t]*#[ \t]*)cmakedefine(01)?[ \t]+(\w+)[ \t]*([^\n]*)$", re.MULTILINE
)
_AT = re.compile(r"@(\w+)@")
_MESONDEFINE = re.compile(r"^([ \t]*#[ \t]*)mesondefine[ \t]+(\w+)[^\n]*$", re.MULTILINE)
_ASKED = re.compile(r"\b(?:HAVE_[A-Z0-9_]+|SIZEOF_[A-Z0-9_]+|STDC_HEADERS)\b")


def prepare(package: Package, root: Path) -> None:
    """Write the generated files of a package into its unpacked folder.

    Raises:
        BadRecipe: A template is not there, or a value cannot be put into a header.
    """
    for path, how in package.generate.items():
        target = root / path
        text = _generated(package, root, path, how)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", errors="surrogateescape")


def _generated(package: Package, root: Path, path: str, how: Mapping[str, Any]) -> str:
    given = {name: _value(package.name, name, value) for name, value in how.get("set", {}).items()}
    values = _Values(package, given)
    text = ""
    if source := how.get("template"):
        template = _read(package, root, source)
        _check_known(package, path, given, template)
        text = fill(template, values)
    elif source := how.get("copy"):
        text = _read(package, root, source)
    elif how.get("scan") or how.get("probe"):
        asked = {*how.get("probe", ()), *(_mentioned(root) if how.get("scan") else ())}
        text = define(sorted(asked - given.keys()), values) + define(given, values)
    elif given:
        text = define(given, values)
    text += str(how.get("text", ""))
    for old, new in how.get("replace", ()):
        if old not in text:
            raise BadRecipe(f"{package.name}: {path}: expected {shown(old)} in it, got none.")
        text = text.replace(old, new)
    return text


def _check_known(package: Package, path: str, given: Iterable[str], template: str) -> None:
    """See that the template has a place for every value: one that has none would have no effect."""
    words = set(re.findall(r"\w+", template))
    if unknown := [name for name in given if name not in words]:
        raise BadRecipe(
            f"{package.name}: {path}: expected macros of the template in `set`, got "
            f"{', '.join(unknown)}. Define them in `text`, or leave them out."
        )


class _Values(dict[str, str | None]):
    """Values of macros: what the recipe says, the package's name and version, the C library's."""

    def __init__(self, package: Package, given: Mapping[str, str | None]) -> None:
        # Debian's epoch, revision, and marks of what it took out.
        upstream = re.sub(r"^\d+:|([+.~](dfsg|ds|repack)[^-]*)?(-[^-]*)?$", "", package.version)
        named = {
            **dict.fromkeys(("PACKAGE", "PACKAGE_NAME", "PACKAGE_TARNAME"), f'"{package.name}"'),
            **dict.fromkeys(("VERSION", "PACKAGE_VERSION"), f'"{upstream}"'),
            **dict.fromkeys(("PACKAGE_BUGREPORT", "PACKAGE_URL"), '""'),
            "PACKAGE_STRING": f'"{package.name} {upstream}"',
        }
        super().__init__({**named, **given})

    def __missing__(self, macro: str) -> str | None:
        return answer(macro)


def fill(template: str, values: Mapping[str, str | None]) -> str:
    """Return a template of Autoconf, CMake or Meson with the values put in."""

    def undef(match: re.Match[str]) -> str:
        value = values[match[2]]
        if value is None:
            return f"/* #undef {match[2]} */"
        return f"{match[1]}define {match[2]} {value}"

    def cmakedefine(match: re.Match[str]) -> str:
        start, zero_one, name, rest = match.groups()
        value = values[name]
        if zero_one:
            return f"{start}define {name} {0 if value in (None, '0') else 1}"
        if value in (None, "0"):
            return f"/* #undef {name} */"
        return f"{start}define {name} {rest or ('' if value == '1' else value)}".rstrip()

    text = _CMAKEDEFINE.sub(cmakedefine, _UNDEF.sub(undef, template))
    text = _MESONDEFINE.sub(undef, text)
    return _AT.sub(lambda match: "0" if values[match[1]] is None else str(values[match[1]]), text)


def define(names: Mapping[str, str | None] | list[str], values: Mapping[str, str | None]) -> str:
    """Return a line ``#define NAME VALUE`` for each name that has a value."""
    lines = ((name, values[name]) for name in names)
    return "".join(f"#define {name} {value}\n" for name, value in lines if value is not None)


def _mentioned(root: Path) -> set[str]:
    return {name for text in _texts(root) for name in _ASKED.findall(text)}


def _texts(root: Path) -> Iterator[str]:
    for file in root.rglob("*"):
        if file.suffix in (*LANGUAGES, ".h", ".hh", ".hpp") and file.is_file():
            yield file.read_text("utf-8", errors="replace")


def _read(package: Package, root: Path, path: str) -> str:
    try:
        return (root / path).read_text("utf-8", errors="surrogateescape")
    except OSError as error:
        raise BadRecipe(
            f"{package.name}: generate: expected the file {shown(path)} in the package, got "
            f"{error.strerror}. Correct the recipe."
        ) from error


def _value(package: str, name: str, value: object) -> str | None:
    if value is False:
        return None
    if value is True:
        return "1"
    if isinstance(value, int | float | str):
        return str(value)
    raise BadRecipe(
        f"{package}: generate: {name}: expected true, false, a number or text, got {shown(value)}."
    )
