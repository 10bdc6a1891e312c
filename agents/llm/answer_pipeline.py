"""Reading the pipelines that models write, as far as they can be read.

``PassList.parse`` is for people: it refuses a text with an error in it. A model's pipeline is an
answer that has to be scored, so here nothing is refused: groups are taken off, names are looked up
one by one (``answer_names``), and what was changed on the way is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmopt_bench import ActionSet

from .answer import MAX_PASSES, Problem, once
from .answer_names import Reading, read_names

_TOKEN = re.compile(r"[(),]|[^\s(),<>]+(?:<[^<>]*>)*|[<>]")
_COMMAND = re.compile(r"""\bopt(?:-\d{1,2})?[ \t]+(?:-S[ \t]+)?--?p(?:asses)?(?:=|[ \t]+)(['"]?)""")
_UNQUOTED = re.compile(r"[^\s`;|]*")
_GROUP = re.compile(r"(?:module|cgscc|function|loop|loop-mssa|devirt|coro-cond)(?:<[^<>]*>)?")
_REPEAT = re.compile(r"repeat<(\d{1,6})>")
_INTERLEAVED = frozenset({"cgscc", "loop", "loop-mssa"})


def find_pipeline(text: str) -> tuple[str, int, bool] | None:
    """Return what the first ``opt -p`` or ``opt -passes=`` of a text is told to run.

    Returns:
        The pipeline, where the text goes on behind it, and whether it has an end; None if there
        is no such command.
    """
    command = _COMMAND.search(text)
    if command is None:
        return None
    begin, quote = command.end(), command[1]
    if not quote:
        word = _UNQUOTED.match(text, begin)
        end = word.end() if word else begin
        return text[begin:end], end, True
    end = text.find(quote, begin)
    return (text[begin:], len(text), False) if end < 0 else (text[begin:end], end + 1, True)


def read_pipeline(text: str, actions: ActionSet) -> Reading:
    """Return the actions that a pipeline names, in order; never raises.

    Groups (``module``, ``cgscc``, ``function``, ``loop``, ``loop-mssa``, ``devirt``) only say what
    a pass runs on, which an action knows itself, so they are taken off. That changes the result
    where passes of a loop group or of a ``cgscc`` group took turns; there the reading has
    ``REGROUPED``. ``repeat<N>(...)`` is written out, a ``devirt`` group runs once.

    Args:
        text: Names joined by commas or white space, with or without groups.
        actions: The set to look names up in.
    """
    names, problems = _flatten(actions.fold(text))
    reading = read_names(names, actions)
    return Reading(reading.passes, once([*problems, *reading.problems]), reading.dropped)


def _flatten(text: str) -> tuple[list[str], list[Problem]]:
    """Return the names of a pipeline without its groups, a few more than may be kept at most."""
    names: list[str] = []
    problems: list[Problem] = []
    groups: list[tuple[str, int]] = []
    tokens = _tokens(text)
    for name, opens in tokens:
        if name == ")":
            problems.extend(_close(names, groups))
        elif opens:
            if name and not (_GROUP.fullmatch(name) or _REPEAT.fullmatch(name)):
                names.append(name)
            groups.append((name, len(names)))
        else:
            names.append(name)
        if len(names) > MAX_PASSES:
            return names, problems
    if groups:
        problems.append(Problem.CUT_LIST)
        while groups:
            problems.extend(_close(names, groups))
    return names, problems


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield names, each with whether it opens a group, and closing brackets."""
    pending = ""
    for token in (match.group() for match in _TOKEN.finditer(text)):
        if token == "(":
            yield pending, True
            pending = ""
            continue
        if pending:
            yield pending, False
        pending = "" if token == "," else token
        if token == ")":
            yield token, False
            pending = ""
    if pending:
        yield pending, False


def _close(names: list[str], groups: list[tuple[str, int]]) -> list[Problem]:
    """Close the innermost group, in place."""
    if not groups:
        return [Problem.CUT_LIST]
    group, begin = groups.pop()
    repeat = _REPEAT.fullmatch(group)
    if repeat:
        body = names[begin:]
        room = (MAX_PASSES + 1 - begin) // max(1, len(body)) + 1
        names[begin:] = body * min(int(repeat[1]), room)
        return []
    kind = group.partition("<")[0]
    return [Problem.REGROUPED] if kind in _INTERLEAVED and len(names) - begin > 1 else []
