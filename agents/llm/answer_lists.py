"""Finding the pass list in the text of a model that was asked for JSON, and may talk around it.

Nothing here parses JSON as a whole: only the array behind the key is read, item by item. So text
around it, code fences, brackets that nest without end and answers of many megabytes cost time
linear in their length and no stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmopt_bench import ActionSet

from .answer_pipeline import find_pipeline

_KEY = re.compile(r"""["']passes["']\s*:\s*(?=[\["'])""")
_ARRAY = re.compile(r"""(?=\[\s*["'])""")
_ITEM = re.compile(
    r"""\s*+(?:(?P<string>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')|(?P<mark>[],]))""", re.DOTALL
)
_BULLET = re.compile(r"\s*(?:[-*+]|\(?[0-9]{1,3}[.):])\s+")
_WORD = re.compile(r"[^\s,()]+")
_ARROW = re.compile(r"->|=>|→")
_MARKS = str.maketrans(dict.fromkeys("`*\"'", " "))
_GROUPS = frozenset({"module", "cgscc", "function", "loop", "loop-mssa"})


@dataclass(frozen=True, slots=True)
class Found:
    """A pass list in a text."""

    pipeline: str
    """The names joined by commas, perhaps with groups."""
    asked: bool = False
    """Whether it stands where it was asked for: behind the key ``passes`` of a JSON object."""
    closed: bool = True
    """Whether it has an end."""


def find_list(text: str, actions: ActionSet) -> Found | None:
    """Return the pass list of an answer, None if there is none.

    Where there is more than one the last one counts, since models think aloud first. Looked for,
    in this order: ``"passes": [...]`` or ``"passes": "..."``; an array of strings that names an
    action; ``opt -p`` or ``opt -passes=``; lines that hold little but names of actions, with
    bullets, numbers, commas or arrows.
    """
    asked = list(_behind_keys(text))
    whole = [found for found in asked if found.closed]
    if asked:
        return (whole or asked)[-1]
    bare: Found | None = None
    for items, closed in _arrays(text):
        if any(_is_name(item, actions) for item in items):
            bare = Found(",".join(items), closed=closed)
    if bare is not None:
        return bare
    command = find_pipeline(text)
    if command is not None:
        return Found(command[0], closed=command[2])
    return _last_lines(text, actions)


def _behind_keys(text: str) -> Iterator[Found]:
    """Yield each list behind the key; the list may be one string."""
    position = 0
    while key := _KEY.search(text, position):
        if text[key.end()] == "[":
            items, position, closed = _array(text, key.end() + 1)
            if items is not None:
                yield Found(",".join(items), asked=True, closed=closed)
            continue
        string = _ITEM.match(text, key.end())
        position = string.end() if string else key.end()
        if string:
            yield Found(_unquoted(string["string"]))


def _arrays(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the items of each array of strings that begins with a string."""
    position = 0
    while bracket := _ARRAY.search(text, position):
        items, position, closed = _array(text, bracket.end() + 1)
        if items is not None:
            yield items, closed


def _array(text: str, position: int) -> tuple[list[str] | None, int, bool]:
    """Read an array of strings from behind its bracket.

    Returns:
        The strings, None if something else is among them; where reading ended; and whether the
        array has an end. A string without an end is left out.
    """
    items: list[str] = []
    while match := _ITEM.match(text, position):
        position = match.end()
        if match["string"]:
            items.append(_unquoted(match["string"]))
        elif match["mark"] == "]":
            return items, position, True
    rest = text[position : position + 100].lstrip()
    cut = not rest or rest[0] in "\"'"
    return (items if cut else None), position, False


def _unquoted(string: str) -> str:
    """Return what a string in quotes says; JSON escapes are undone where they are right."""
    if "\\" in string and string[0] == '"':
        try:
            return str(json.loads(string, strict=False))
        except ValueError:
            pass
    return string[1:-1]


def _is_name(name: str, actions: ActionSet) -> bool:
    """Whether a text looks like an action, at the cost of looking it up."""
    name = name.lstrip("-")
    return name in actions or name.partition("<")[0] in actions


def _last_lines(text: str, actions: ActionSet) -> Found | None:
    """Return the names in the last lines that hold little else."""
    run: list[str] = []
    broken = False
    for line in text.splitlines():
        if not line.strip():
            continue
        names = _line(line, actions)
        if names:
            run = [] if broken else run
            run.append(names)
            broken = False
        else:
            broken = True
    return Found(",".join(run)) if run else None


def _line(line: str, actions: ActionSet) -> str:
    """Return the names of a line, empty if it is prose."""
    bullet = _BULLET.match(line)
    line = _ARROW.sub(",", line.translate(_MARKS))
    first = _WORD.search(line, bullet.end()) if bullet else None
    name = first[0].rstrip(":.;") if first else ""
    if _is_name(name, actions):
        return name
    names = line.rpartition(": ")[2].strip(" \t.")
    words = [word for word in _WORD.findall(names) if word not in _GROUPS]
    known = sum(_is_name(word, actions) for word in words)
    return names if 2 * known > len(words) else ""
