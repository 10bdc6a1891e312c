"""Pass lists: the immutable values that agents answer with, and how text becomes one.

``Action``, ``ActionSet`` and their constructors belong to this module's interface too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Self, overload

from llmopt_bench.action_set import (
    DEFAULT_ACTION_SET,
    Action,
    ActionSet,
    Exclusion,
    action_set_names,
    make_action_set,
)
from llmopt_bench.errors import UnknownPass
from llmopt_bench.passlist_text import (
    LEVELS,
    MAX_PASSES,
    Item,
    check_length,
    legacy_flags,
    read_items,
)

__all__ = [
    "DEFAULT_ACTION_SET",
    "Action",
    "ActionSet",
    "Exclusion",
    "PassList",
    "action_set_names",
    "as_pass_list",
    "make_action_set",
]


class PassList(Sequence[str]):
    """An ordered, immutable list of action names, bound to one action set.

    ``str(pass_list)`` is a valid ``opt -passes=`` text. Each pass stands in its own module-level
    pipeline, so a list runs pass by pass over the whole module.

    Args:
        names: Action names, or aliases of them, in order; for text use ``PassList.parse``.
        action_set: The set that the names belong to; ``passes-v1`` if None.

    Raises:
        UnknownPass: A name is not in the action set, or there are too many.

    Example:
        >>> str(PassList(["sroa<modify-cfg>", "globaldce"]))
        'function(sroa<modify-cfg>),globaldce'
    """

    __slots__ = ("_action_set", "_names")

    def __init__(self, names: Iterable[str] = (), action_set: ActionSet | None = None) -> None:
        if isinstance(names, str):
            raise UnknownPass("expected names, got one text. Use PassList.parse(text) for text.")
        self._action_set = make_action_set() if action_set is None else action_set
        given = tuple(islice(names, MAX_PASSES + 1))  # a generator may never end
        if len(given) > MAX_PASSES:
            raise UnknownPass(
                f"a pass list may have {MAX_PASSES:,} passes, this one has {MAX_PASSES + 1:,} "
                "or more. Shorten it."
            )
        actions = self._action_set
        self._names = tuple(actions.names[actions.index(name)] for name in given)

    @classmethod
    def parse(
        cls, text: str, action_set: ActionSet | None = None, *, drop_unmapped: bool = False
    ) -> Self:
        """Return the pass list that ``text`` names.

        Reads the text of a pass list; grouped pipelines such as ``function(sroa,loop(licm))``;
        bare names; flags of the legacy pass manager such as ``-mem2reg -O2``; and ``opt`` command
        lines. Separators are commas and whitespace. Groups are flattened: the passes then run
        one by one over the whole module, which may give another module than the grouped run,
        where each function goes through all passes of its group before the next one.

        Args:
            text: The text; at most 1 MiB.
            action_set: The set to look names up in; ``passes-v1`` if None.
            drop_unmapped: Leave out legacy flags that have no successor in the action set,
                in place of refusing them. Names that nobody knows are refused all the same.

        Raises:
            UnknownPass: A name is not in the action set, or the text cannot be read.
        """
        check_length(text)
        actions = make_action_set() if action_set is None else action_set
        found = (
            _action_name(item, actions, drop_unmapped) for item in read_items(actions.fold(text))
        )
        return cls([name for name in found if name is not None], actions)

    @property
    def names(self) -> tuple[str, ...]:
        """The action names in order."""
        return self._names

    @property
    def action_set(self) -> ActionSet:
        """The set that the names belong to."""
        return self._action_set

    @property
    def text(self) -> str:
        """The list as an ``opt -passes=`` text; empty for the empty list."""
        return ",".join(self.action_set.pipeline_of(name) for name in self._names)

    @property
    def compact(self) -> str:
        """The names joined by commas: short, for records and prompts; ``parse`` reads it.

        ``opt`` may not: passes of different levels cannot be mixed there without their groups.
        """
        return ",".join(self._names)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"PassList({list(self._names)!r})"

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> PassList: ...
    def __getitem__(self, index: int | slice) -> str | PassList:
        if isinstance(index, slice):
            return PassList(self._names[index], self.action_set)
        return self._names[index]

    def __add__(self, other: Iterable[str]) -> PassList:
        if isinstance(other, PassList) and other.action_set != self.action_set:
            raise UnknownPass(
                f"cannot join a list of {self.action_set.name} with one of "
                f"{other.action_set.name}. Rebuild one of them in the other's action set."
            )
        if isinstance(other, str) or not isinstance(other, Iterable):
            return NotImplemented
        return PassList((*self._names, *other), self.action_set)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PassList):
            return NotImplemented
        return self._names == other._names and self.action_set == other.action_set

    def __hash__(self) -> int:
        return hash((self._names, self.action_set))


def as_pass_list(
    value: PassList | str | Iterable[str], action_set: ActionSet | None = None
) -> PassList:
    """Return ``value`` as a pass list: a list as it is, text parsed, names checked.

    Raises:
        UnknownPass: A name is not in the action set, or a list belongs to another set.
    """
    if isinstance(value, str):
        return PassList.parse(value, action_set)
    if not isinstance(value, PassList):
        return PassList(value, action_set)
    if action_set is not None and value.action_set != action_set:
        raise UnknownPass(
            f"expected a list of {action_set.name}, got one of {value.action_set.name}. "
            "Pass its `names` in place of it."
        )
    return value


def _action_name(item: Item, actions: ActionSet, drop_unmapped: bool) -> str | None:
    """Return the action that an item of a text means; None for a flag that is to be dropped."""
    name: str | None = item.name
    if item.name.startswith("-") and item.name not in actions:
        name = _from_flag("-" + item.name.lstrip("-"), actions, drop_unmapped)
    if name is None:
        return None
    action = actions.actions[actions.index(name)]
    if item.group and LEVELS.index(action.level) < LEVELS.index(item.group):
        raise UnknownPass(
            f"{name!r} is a {action.level} pass and cannot stand inside a {item.group} group. "
            "Move it out of the group."
        )
    return action.name


def _from_flag(flag: str, actions: ActionSet, drop_unmapped: bool) -> str | None:
    """Return the action that a legacy flag means; None if it has none and may be dropped."""
    legacy = legacy_flags()
    name = legacy.mapped.get(flag)
    if name is None and flag not in legacy.dropped:
        return flag[1:]
    if name is not None and name in actions:
        return name
    if drop_unmapped:
        return None
    reason = legacy.dropped.get(flag, f"it means {name!r}, which {actions.name} does not have.")
    raise UnknownPass(
        f"the legacy flag {flag!r} has no successor in {actions.name}: {reason} "
        "Leave it out, or parse with drop_unmapped=True."
    )
