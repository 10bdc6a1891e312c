"""Cards: what an entry of a leaderboard says about its agent, for people; one TOML file each.

A card comes from whoever submits, so it is data only: nothing in it is run, opened or imported.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmopt_bench.errors import BadCard, shorten, shown, unknown
from llmopt_bench.plain_file import read_plain, reason_of

SCHEMA = 1
KINDS = ("pipeline", "search", "learned", "language-model", "other")
"""What an agent can be: a fixed list of passes, a search, a model that learnt, an LLM, or else."""
MAX_FILE_BYTES = 1 << 16
MAX_TEXT = 2000
"""The longest text of a card, in characters."""
MAX_ENTRIES = 100
"""The most authors, seeds or program sets."""
MAX_COUNT = 2**63 - 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")
# Of RFC 3986 without apostrophe and square brackets, which end a link in HTML or Markdown.
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+")
# What no reader sees: controls, marks that turn the direction of a line, text of no width.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Who made an agent, of what, and how its records were made.

    Raises:
        BadCard: A value has the wrong type or form; the message names its key.
    """

    schema: int = SCHEMA
    agent: str
    """As in the records; letters, digits and ``._+-`` only, like the version."""
    version: str
    """As in the records. The folder of the entry is ``<agent>-<version>``."""
    kind: str
    """One of ``KINDS``."""
    description: str
    """One to five sentences of plain text."""
    authors: tuple[str, ...]
    command: str
    """How the records were made."""
    code: str
    """The https address of the agent's code; empty if it is not public."""
    model: str = ""
    """Name or https address of a model that the agent uses; empty if none."""
    paper: str = ""
    """An https address; empty if there is none."""
    trained_on: tuple[str, ...]
    """Program sets or URIs that the agent has learnt from; none for an agent that learns nothing.

    An agent that learnt from the programs of a task is not ranked there.
    """
    training_compilations: int
    """Compilations that were spent to make the agent; 0 for one that learns nothing."""
    hardware: str
    """What the records were made on."""
    seeds: tuple[int, ...]
    """The seeds of the runs. Each run of the entry has all of them."""
    licence: str
    """Of the agent, as an SPDX expression where there is one."""

    def __post_init__(self) -> None:
        """Normalise lists to tuples and check every value."""
        for key in ("authors", "trained_on", "seeds"):
            if isinstance(getattr(self, key), list):
                object.__setattr__(self, key, tuple(getattr(self, key)))
        for key, (expected, holds) in _CHECKS.items():
            value = getattr(self, key)
            if not holds(value):
                raise BadCard(f"{key}: expected {expected}, got {shown(value)}. Correct it.")

    @property
    def folder(self) -> str:
        """The name of the entry's folder."""
        return f"{self.agent}-{self.version}"

    def to_toml(self) -> str:
        """Return the card as the text of its file."""
        lines = (f"{field.name} = {_toml(getattr(self, field.name))}" for field in fields(self))
        return "\n".join(lines) + "\n"


def read_card(path: Path) -> Card:
    """Return the card in a TOML file.

    Raises:
        BadCard: The file cannot be read or is too large, or a key is missing, unknown or wrong;
            the message names file and key.
    """
    source = shorten(str(path), 200)
    try:
        text = read_plain(path, MAX_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise BadCard(
            f"{source}: cannot read the card: {reason_of(error)}. Put a plain file there, of "
            f"{MAX_FILE_BYTES:,} bytes at most."
        ) from error
    except UnicodeDecodeError as error:
        raise BadCard(f"{source}: expected UTF-8 text: {error}. Save it as UTF-8.") from error
    try:
        table = tomllib.loads(text)
        _check_keys(table)
        return Card(**table)
    # ValueError is also a number of too many digits, RecursionError lists in lists.
    except (ValueError, RecursionError) as error:
        raise BadCard(f"{source}: {shorten(str(error), 500)}") from error


def is_address(text: str) -> bool:
    """Whether ``text`` is an https address of a host, without a user's name: safe as a link."""
    if not _ADDRESS.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is no number
        return False
    return bool(parts.hostname) and "@" not in parts.netloc and port in (None, 443)


def is_name(value: object) -> bool:
    """Whether an agent or a version of this name can have an entry: a folder is called so."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _check_keys(table: dict[str, Any]) -> None:
    known = {field.name: field for field in fields(Card)}
    for key in table:
        if key not in known:
            raise BadCard(unknown("key", shorten(key), known))
    missing = [k for k, field in known.items() if field.default is MISSING and k not in table]
    if missing:
        raise BadCard(f"{', '.join(missing)}: missing. A card has all of its keys.")


def _toml(value: str | int | tuple[str | int, ...]) -> str:
    """Return a value as TOML; the escapes of its strings are those of JSON."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _is_text(value: object) -> bool:
    """Whether it is a text that can be read: there is something to see, and nothing hidden."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return False
    return bool(value.strip()) and not _UNSEEN.search(value)


def _is_line(value: object) -> bool:
    return _is_text(value) and "\n" not in str(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _is_address_or_none(value: object) -> bool:
    return isinstance(value, str) and (not value or (len(value) <= MAX_TEXT and is_address(value)))


def _is_model(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return value == ""
    return _is_line(value) and ("://" not in value or is_address(value))


def _list_of(holds: Callable[[object], bool], least: int) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if not isinstance(value, tuple) or not least <= len(value) <= MAX_ENTRIES:
            return False
        return all(map(holds, value)) and len(set(value)) == len(value)

    return check


def _checks() -> Iterator[tuple[str, str, Callable[[object], bool]]]:
    text = f"a text that is not empty, {MAX_TEXT:,} characters at most, none of them invisible"
    name = "letters, digits and '._+-', 60 at most, a letter or digit first"
    address = "an https address without a user's name, or an empty text"
    listed = f"each once, {MAX_ENTRIES} at most"
    yield "schema", f"{SCHEMA}", lambda value: value == SCHEMA and type(value) is int
    yield "agent", name, is_name
    yield "version", name, is_name
    yield "kind", f"one of {', '.join(KINDS)}", lambda value: value in KINDS
    yield "description", text, _is_text
    yield "authors", f"a list of names, {listed}", _list_of(_is_line, 1)
    yield "command", text, _is_text
    yield "code", address, _is_address_or_none
    yield "model", "a name, an https address, or an empty text", _is_model
    yield "paper", address, _is_address_or_none
    yield "trained_on", f"a list of program sets or URIs, {listed}", _list_of(_is_line, 0)
    yield "training_compilations", f"an integer from 0 to {MAX_COUNT}", _is_count
    yield "hardware", f"{text}, on one line", _is_line
    yield "seeds", f"a list of integers from 0 to {MAX_COUNT}, {listed}", _list_of(_is_count, 1)
    yield "licence", f"{text}, on one line", _is_line


_CHECKS = {key: (expected, holds) for key, expected, holds in _checks()}
"""For each key, what is expected in words, and whether a value is that."""
