"""Action sets: the reviewed, versioned allow-lists of passes that agents may choose from."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from types import MappingProxyType
from typing import Any, Self

from llmopt_bench.errors import UnknownName, UnknownPass, shorten, shown, unknown
from llmopt_bench.passlist_text import LEVELS, read_items

DEFAULT_ACTION_SET = "passes-v1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What action sets and tasks may be called; also good as the name of a folder."""


@dataclass(frozen=True, slots=True)
class Action:
    """One pass that an agent may choose."""

    name: str
    """What one writes alone after ``opt -passes=``, for example ``licm``."""
    pipeline: str
    """The same pass nested to module level, for example ``function(loop-mssa(licm))``."""
    level: str
    """What it runs on: one of ``module``, ``cgscc``, ``function``, ``loop``."""
    composite: bool = False
    """Whether it is a whole pipeline, written out, that only its name stands for: what
    ``clang -Oz`` runs, for example."""

    def __post_init__(self) -> None:
        """Check every value, except against LLVM."""
        _check_text("name", self.name)
        _check_text("pipeline", self.pipeline)
        if self.level not in LEVELS:
            raise UnknownPass(
                f"level: expected one of {', '.join(LEVELS)}, got {shown(self.level)}."
            )
        if not isinstance(self.composite, bool):
            raise UnknownPass(f"composite: expected true or false, got {shown(self.composite)}.")
        if self.composite and len(self.pipeline) < len(self.name):
            raise UnknownPass(f"pipeline: expected one that is longer than {shown(self.name)}.")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a pass of LLVM is not an action."""

    category: str
    reason: str

    def __post_init__(self) -> None:
        """Check both values."""
        _check_text("category", self.category)
        _check_text("reason", self.reason)


@dataclass(frozen=True, eq=False, repr=False)
class ActionSet:
    """A reviewed, ordered, immutable allow-list of actions.

    The position of an action is its number in a ``Discrete`` space, so an action set never
    changes: a new choice of passes is a new name (``passes-v2``). ``sha256`` pins the content.

    Raises:
        UnknownPass: A value has the wrong type, a name is repeated, a pipeline does not hold
            exactly its own pass, an alias stands for no action, or a rule is no regular expression.
    """

    name: str
    """Versioned name."""
    llvm_major: int
    """The LLVM release that the actions were reviewed for."""
    actions: tuple[Action, ...]
    """The actions in order."""
    excluded: Mapping[str, Exclusion] = field(default_factory=dict)
    """Passes that were reviewed and left out, by name."""
    exclusion_rules: tuple[tuple[str, Exclusion], ...] = ()
    """Regular expressions, each with the exclusion of every pass whose whole name it matches,
    with or without the parameters."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other spellings of actions, understood wherever a name is. They are not part of the content
    hash, because pass lists hold the names of the actions."""

    def __post_init__(self) -> None:
        """Freeze what was given and check every entry."""
        freeze = object.__setattr__
        freeze(self, "actions", tuple(self.actions))
        freeze(self, "exclusion_rules", tuple(self.exclusion_rules))
        freeze(self, "excluded", MappingProxyType(dict(self.excluded)))
        freeze(self, "aliases", MappingProxyType(dict(self.aliases)))
        if not (isinstance(self.name, str) and NAME.fullmatch(self.name)):
            raise UnknownPass(
                f"name: expected letters, digits and '._-', 100 at most, got {shown(self.name)}. "
                "Rename it."
            )
        if type(self.llvm_major) is not int:
            raise UnknownPass(f"llvm_major: expected an integer, got {shown(self.llvm_major)}.")
        if len(set(self.names)) != len(self):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise UnknownPass(f"action set {self.name} has {shown(twice)} twice. Remove one.")
        for action in self.actions:
            self._check(action)
        for target in self.aliases.values():
            self.index(target)
        for pattern, _ in self.exclusion_rules:
            _check_pattern(pattern)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the actions, in order."""
        return tuple(action.name for action in self.actions)

    @cached_property
    def pipelines(self) -> tuple[str, ...]:
        """The module-level pipeline texts of the actions, in order."""
        return tuple(action.pipeline for action in self.actions)

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal hash of the name and of the ordered names and pipelines of the actions."""
        pairs = list(zip(self.names, self.pipelines, strict=True))
        content = {"name": self.name, "actions": pairs}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_toml(cls, text: str, source: str = "<text>") -> Self:
        """Return the action set that a TOML text describes.

        Args:
            text: Keys ``name`` and ``llvm_major``, ``[[action]]`` tables with ``name``,
                ``pipeline`` and ``level``; optionally ``[[excluded]]`` tables with ``name``,
                ``category`` and ``reason``, ``[[excluded_rule]]`` tables with ``pattern`` in
                place of ``name``, and a table ``[aliases]`` from a spelling to an action.
            source: Where the text came from, for messages.
        """
        try:
            table = tomllib.loads(text)
            return cls(
                table["name"],
                table["llvm_major"],
                tuple(Action(**entry) for entry in table["action"]),
                {e["name"]: _exclusion(e) for e in table.get("excluded", [])},
                tuple((e["pattern"], _exclusion(e)) for e in table.get("excluded_rule", [])),
                table.get("aliases", {}),
            )
        except UnknownPass as error:
            raise UnknownPass(f"{source}: {error}") from error
        # What a TOML text of another shape leads to; ValueError is a number of too many digits.
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnknownPass(
                f"{source} is not an action set: {shorten(repr(error), 300)}. Correct the entry."
            ) from error

    def __len__(self) -> int:
        return len(self.actions)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __contains__(self, name: object) -> bool:
        """Whether ``name`` is an action or an alias of one."""
        return name in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActionSet) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"<ActionSet {self.name}: {len(self)} actions of LLVM {self.llvm_major}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A shipped set travels as its name: pass lists are sent to workers often.
        if self.name in action_set_names() and make_action_set(self.name) is self:
            return make_action_set, (self.name,)
        parts = (self.name, self.llvm_major, self.actions, dict(self.excluded))
        return ActionSet, (*parts, self.exclusion_rules, dict(self.aliases))

    def index(self, name: str) -> int:
        """Return the number of the action that ``name``, or the alias ``name``, stands for.

        Raises:
            UnknownPass: There is no such action; the message says why, or what is near.
        """
        try:
            return self._numbers[name]
        except (KeyError, TypeError):
            given = name if isinstance(name, str) else shown(name)
            raise UnknownPass(self._why_not(given)) from None

    def pipeline_of(self, name: str) -> str:
        """Return the module-level pipeline text of the action ``name``."""
        return self.pipelines[self.index(name)]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        numbers = {name: number for number, name in enumerate(self.names)}
        spelled = {alias: numbers[name] for alias, name in self.aliases.items() if name in numbers}
        return spelled | numbers

    def fold(self, text: str) -> str:
        """Return ``text`` with each written-out composite pipeline replaced by its name."""
        for action in self.actions:
            if action.composite and len(text) >= len(action.pipeline):
                text = text.replace(action.pipeline, action.name)
        return text

    def _check(self, action: Action) -> None:
        """Hold the invariant by which the text of every pass list reads back as itself."""
        if action.composite:
            return
        expected = (action.name, action.level)
        found = [(item.name, item.group or "module") for item in read_items(action.pipeline)]
        if found != [expected]:
            raise UnknownPass(
                f"action set {self.name}: the pipeline {shown(action.pipeline)} of "
                f"{shown(action.name)} should hold {shown(expected)}, but it holds "
                f"{shown(found)}. Correct the entry."
            )

    def _why_not(self, name: str) -> str:
        shown, base = shorten(name), name.partition("<")[0]
        siblings = [other for other in self.names if other.partition("<")[0] == base]
        exclusion = self.excluded.get(name)
        if exclusion is None and not siblings:
            exclusion = self._exclusion_of(base, name)
        if exclusion:
            return (
                f"{shown!r} is excluded from {self.name} ({exclusion.category}): "
                f"{exclusion.reason} Leave it out."
            )
        if siblings:
            spelled = ", ".join(repr(sibling) for sibling in siblings)
            return f"{shown!r} is not in {self.name}, which has {spelled}. Use one of these."
        advice = f"{self.name} has {len(self)} actions; see its `names`."
        return unknown("pass", shown, self._numbers, advice)

    def _exclusion_of(self, *spellings: str) -> Exclusion | None:
        for name in spellings:
            if name in self.excluded:
                return self.excluded[name]
            for rule, exclusion in self.exclusion_rules:
                if re.fullmatch(rule, shorten(name)):
                    return exclusion
        return None


def _check_text(key: str, value: object) -> None:
    if not (isinstance(value, str) and value):
        raise UnknownPass(f"{key}: expected a text that is not empty, got {shown(value)}.")


def _check_pattern(pattern: object) -> None:
    _check_text("pattern", pattern)
    try:
        re.compile(str(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise UnknownPass(
            f"pattern: expected a regular expression, got {shown(pattern)}: {shorten(str(error))}."
        ) from error


def _exclusion(entry: Mapping[str, str]) -> Exclusion:
    return Exclusion(entry["category"], entry["reason"])


def action_set_names() -> tuple[str, ...]:
    """Return the names of the shipped action sets."""
    files = (resources.files("llmopt_bench") / "action_sets").iterdir()
    names = {file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")}
    return tuple(sorted(names - {"legacy"}))


def make_action_set(name: str = DEFAULT_ACTION_SET) -> ActionSet:
    """Return the shipped action set ``name``; the same object on every call.

    Raises:
        UnknownName: No such action set is shipped.
    """
    return _load_action_set(name)


@cache
def _load_action_set(name: str) -> ActionSet:
    if name not in action_set_names():
        raise UnknownName(unknown("action set", shorten(name), action_set_names()))
    file = resources.files("llmopt_bench") / "action_sets" / f"{name}.toml"
    return ActionSet.from_toml(file.read_text("utf-8"), f"{name}.toml")
