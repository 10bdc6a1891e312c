"""Reading pass lists from text: new pass manager pipelines, legacy flags and ``opt`` command lines.

This module knows syntax only. Which names are actions is the business of ``passes``. Reading is
iterative and linear in the length of the text, because the text may come from a language model.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain, islice
from typing import NamedTuple

from llmopt_bench.errors import UnknownPass, shorten, shown

LEVELS = ("module", "cgscc", "function", "loop")
"""What a pass runs on, from wide to narrow."""

MAX_TEXT_LENGTH = 1 << 20
MAX_PASSES = 100_000

_GROUPS = {
    "module": "module",
    "cgscc": "cgscc",
    "function": "function",
    "function<eager-inv>": "function",
    "function<no-rerun>": "function",
    "function<eager-inv;no-rerun>": "function",
    "loop": "loop",
    "loop-mssa": "loop",
}
_TOKEN = re.compile(r"[(),]|\s+|[^\s(),<>]+(?:<[^<>]*>)*")
_OPT = re.compile(r"\s*(?:\S*/)?opt(?:-\d+)?(?=\s|$)")
_WORD_PART = re.compile(
    r"""(?P<space>[ \t\r\n]+)|'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|"""
    r"""\\(?P<escaped>.)|(?P<plain>[^ \t\r\n'"\\]+)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(["\\])""")
_NOT_PASSES = frozenset({"-", "-S", "-f", "-p", "-passes", "--passes"})
_PASSES_OPTION = re.compile(r"--?(?:passes|p)=")


class Item(NamedTuple):
    """One pass as the text names it."""

    name: str
    group: str | None
    """Level of the innermost group around it; None at the top."""


@dataclass(frozen=True, slots=True)
class LegacyFlags:
    """What the flags of the legacy pass manager mean today."""

    mapped: Mapping[str, str]
    """From a flag with one leading dash, such as ``-early-cse-memssa``, to an action name."""
    dropped: Mapping[str, str]
    """From a flag without a successor to the reason."""


@cache
def legacy_flags() -> LegacyFlags:
    """Return the shipped table of legacy flags."""
    file = resources.files("llmopt_bench") / "action_sets" / "legacy.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    return LegacyFlags(mapped=table["map"], dropped=table["dropped"])


def check_length(text: object) -> None:
    """Refuse what is not text, and text that is longer than any pass list.

    Raises:
        UnknownPass: It is one of these.
    """
    if not isinstance(text, str):
        raise UnknownPass(
            f"expected the text of a pass list, got {shown(text)}. Give names joined by commas."
        )
    if len(text) > MAX_TEXT_LENGTH:
        raise UnknownPass(
            f"a pass list text may have {MAX_TEXT_LENGTH:,} characters, this one has "
            f"{len(text):,}. Shorten the list."
        )


def read_items(text: str) -> list[Item]:
    """Return the passes that ``text`` names, in order, with their groups taken off.

    Args:
        text: Names separated by commas or whitespace, with or without groups such as
            ``function(...)``; or a whole ``opt`` command line.

    Raises:
        UnknownPass: The text is too long, its brackets do not match, or a group is not one that
            only says what its passes run on (``repeat``, ``devirt``).
    """
    check_length(text)
    if _OPT.match(text):
        text = _without_command(text)
    items: list[Item] = []
    groups: list[str] = []
    pending: str | None = None
    for token, column in chain(_tokens(text), [(",", len(text) + 1)]):
        if token == "(":
            groups.append(_group_level(pending, groups, column))
            pending = None
            continue
        if pending is not None:
            _append(items, pending, groups)
            pending = None
        if token == ")":
            if not groups:
                raise UnknownPass(f"column {column}: ')' without a '('. Remove it.")
            groups.pop()
        elif token != ",":
            pending = token
    if groups:
        raise UnknownPass(f"{len(groups)} '(' without a ')' at the end of the text. Close them.")
    return items


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield names, brackets and one ``,`` for each separator, with columns counted from 1."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            shown = shorten(text[position : position + 40])
            raise UnknownPass(
                f"column {position + 1}: '<' and '>' do not match at {shown!r}. "
                "Parameters are written name<a;b>."
            )
        token = match.group()
        yield ("," if token.isspace() else token), position + 1
        position = match.end()


def _append(items: list[Item], name: str, groups: list[str]) -> None:
    if len(items) >= MAX_PASSES:
        raise UnknownPass(f"a pass list may have {MAX_PASSES:,} passes, this text names more.")
    items.append(Item(name, groups[-1] if groups else None))


def _group_level(name: str | None, groups: list[str], column: int) -> str:
    """Return the level of the group ``name`` that opens at ``column`` inside ``groups``."""
    level = _GROUPS.get(name or "")
    if level is None:
        raise UnknownPass(
            f"column {column}: expected one of {', '.join(_GROUPS)} before '(', got "
            f"{shown(name or '')}. Write the passes out one after the other."
        )
    if groups and LEVELS.index(level) < LEVELS.index(groups[-1]):
        raise UnknownPass(
            f"column {column}: a {level} group cannot stand inside a {groups[-1]} group. "
            "Close the inner group first."
        )
    return level


def _without_command(text: str) -> str:
    """Return the passes of an ``opt`` command line, without files and output options."""
    words = islice(_shell_words(text), 1, None)
    kept = []
    for word in words:
        if word == "-o":
            next(words, None)
        elif word.endswith((".bc", ".ll")) or word in _NOT_PASSES:
            continue
        else:
            kept.append(_PASSES_OPTION.sub("", word, count=1))
    return " ".join(kept)


def _shell_words(text: str) -> Iterator[str]:
    """Yield what ``shlex.split`` returns, whose time is quadratic in the length of a word."""
    word: list[str] | None = None
    position = 0
    while position < len(text):
        match = _WORD_PART.match(text, position)
        if match is None:
            raise UnknownPass(
                f"column {position + 1}: a quotation or escape of the opt command line has no end. "
                "Complete it."
            )
        position = match.end()
        if match.lastgroup == "space":
            if word is not None:
                yield "".join(word)
            word = None
            continue
        part = match[match.lastindex or 0]
        word = word or []
        word.append(_ESCAPED.sub(r"\1", part) if match.lastgroup == "double" else part)
    if word is not None:
        yield "".join(word)
