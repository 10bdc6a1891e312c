"""From the names that models write to the actions of a set.

The rule, for every prompt. A name is tried, in this order, as

1. an action, or an alias of one;
2. a flag of the legacy pass manager (``-mem2reg``, ``-Oz``), by the library's table;
3. the name that a pass had in LLVM 17;
4. a pass that is known but no action: it is dropped;
5. an action with other parameters: it is taken without them.

Anything else is unknown, and left out too. What changed is always in ``Reading.problems``.

LLVM 17 is what facebook/llm-compiler was trained with, and what most models have read about. Its
names are taken from its registry of passes, as of the summer of 2023; a pass that is still there
under its name needs no entry, since the action set knows all passes of LLVM 22.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from llmopt_bench import ActionSet, LlmoptError, PassList

from .answer import MAX_PASSES, Problem, once

_RENAMED = {
    "flattencfg": "flatten-cfg",
    "loweratomic": "lower-atomic",
    "lowerinvoke": "lower-invoke",
    "lowerswitch": "lower-switch",
}
_NOT_ACTIONS = frozenset(
    {
        # Levels and adaptors that transform nothing, or not by themselves.
        *("O0", "default", "require"),
        # Passes of LLVM 17 that are gone.
        *("instrorderfile", "loop-reroll", "poison-checking", "synthetic-counts-propagation"),
        "tlshoist",
    }
)
_LONGEST = 1_000
"""Characters of a name that is looked up; the longest alias has some 400."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Reading:
    """What the names of a list came to."""

    passes: PassList | None
    """None if there were names and none of them is an action."""
    problems: tuple[Problem, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one name came to."""

    action: str | None
    problem: Problem | None = None


def read_names(names: Iterable[str], actions: ActionSet) -> Reading:
    """Return the actions that names mean, in order; never raises.

    Args:
        names: What the model wrote; no more than ``MAX_PASSES`` are looked at.
        actions: The set to look them up in.
    """
    given = list(islice(names, MAX_PASSES + 1))
    problems = [Problem.LONG_LIST] if len(given) > MAX_PASSES else []
    known = {name: meaning(name, actions) for name in dict.fromkeys(given[:MAX_PASSES])}
    found = [known[name] for name in given[:MAX_PASSES]]
    kept = [one.action for one in found if one.action is not None]
    dropped = dict.fromkeys(_shown(name) for name, one in known.items() if one.action is None)
    problems += [one.problem for one in found if one.problem is not None]
    passes = PassList(kept, actions) if kept or not given else None
    return Reading(passes, once(problems), tuple(dropped))


def meaning(name: str, actions: ActionSet) -> Meaning:
    """Return the action that a name means, and what is wrong with the name."""
    if name in actions:
        return Meaning(name)
    if len(name) > _LONGEST:
        return Meaning(None, Problem.UNKNOWN_PASS)
    if name.startswith("-"):
        return _flag(name.lstrip("-"), actions)
    base, bracket, parameters = name.partition("<")
    if base in _RENAMED:
        return meaning(_RENAMED[base] + bracket + parameters, actions)
    if name in actions.excluded:
        return Meaning(None, Problem.DROPPED_PASS)
    if base in actions:
        return Meaning(base, Problem.OTHER_PARAMETERS)
    known = _is_known(base, name, actions)
    return Meaning(None, Problem.DROPPED_PASS if known else Problem.UNKNOWN_PASS)


def _flag(name: str, actions: ActionSet) -> Meaning:
    """Return what a flag of the legacy pass manager means; ``name`` is without its dashes."""
    try:
        found = PassList.parse(f"-{name}", actions, drop_unmapped=True)
    except LlmoptError:
        return meaning(name, actions)
    if len(found) > 1 or not name:
        return Meaning(None, Problem.UNKNOWN_PASS)
    return Meaning(found[0]) if found else Meaning(None, Problem.DROPPED_PASS)


def _shown(name: str) -> str:
    """Return a name as a record can hold it, whatever JSON escapes it was made of."""
    return name[:_SHOWN].encode("utf-8", "backslashreplace").decode()


def _is_known(base: str, name: str, actions: ActionSet) -> bool:
    """Whether a name is one of LLVM's, or of a variant of a pass that is an action."""
    if base in _NOT_ACTIONS or base in actions.excluded:
        return True
    if any(action.partition("<")[0] == base for action in actions.names):
        return True
    return any(
        re.fullmatch(rule, spelled[:_SHOWN])
        for rule, _ in actions.exclusion_rules
        for spelled in (base, name)
    )
