"""Texts of strangers, so that a reader sees all of them and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_MOST_MARKS = 3
_MARKS = ("Mn", "Me")


def visible(text: str) -> str:
    """Return a text of one line in which every character can be seen.

    Controls, marks that turn the direction of text and other invisible characters become their
    code points, like ``<U+202E>``; white space becomes a space. Piles of accents, which would reach
    over the lines above, are cut.
    """
    return "".join(_visible_characters(text))


def _visible_characters(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        if character.isspace():
            yield " "
        elif not character.isprintable():
            yield f"<U+{ord(character):04X}>"
        elif marks <= _MOST_MARKS:
            yield character
