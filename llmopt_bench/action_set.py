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

from llmopt_bench.errors import UnknownName, UnknownPass, unknown
from llmopt_bench.passlist_text import read_items, shorten

DEFAULT_ACTION_SET = "passes-v1"


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


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a pass of LLVM is not an action."""

    category: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class ActionSet:
    """A reviewed, ordered, immutable allow-list of actions.

    The position of an action is its number in a ``Discrete`` space, so an action set never
    changes: a new choice of passes is a new name (``passes-v2``). ``sha256`` pins the content.

    Raises:
        UnknownPass: A name is repeated, a pipeline does not hold exactly its own pass, or an
            alias stands for no action.
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
        if len(set(self.names)) != len(self):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise UnknownPass(f"action set {self.name} has {twice!r} twice. Remove one.")
        for action in self.actions:
            self._check(action)
        for target in self.aliases.values():
            self.index(target)

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
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise UnknownPass(f"{source} is not an action set: {error!r}.") from error

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
            raise UnknownPass(self._why_not(str(name))) from None

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
                f"action set {self.name}: the pipeline {action.pipeline!r} of {action.name!r} "
                f"should hold {expected}, but it holds {found}. Correct the entry."
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
        raise UnknownName(unknown("action set", name, action_set_names()))
    file = resources.files("llmopt_bench") / "action_sets" / f"{name}.toml"
    return ActionSet.from_toml(file.read_text("utf-8"), f"{name}.toml")
