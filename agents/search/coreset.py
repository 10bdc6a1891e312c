"""The coreset: a few pass lists that together serve many functions well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from llmopt_bench import ActionSet, PassList

FILE = "coreset-v2.json"


@dataclass(frozen=True)
class Coreset:
    """Lists, most useful first, and how often each action helps.

    The idea of few lists for all programs is that of Coreset-NVP (arXiv 2301.05104).
    """

    lists: tuple[PassList, ...]
    weights: Mapping[str, float]
    """By action: in how many best lists it stands."""

    def within(self, passes: int) -> Coreset:
        """Return the coreset without the lists that have more passes."""
        return Coreset(tuple(one for one in self.lists if len(one) <= passes), self.weights)

    def without(self, names: Set[str]) -> Coreset:
        """Return the coreset without actions, and without the lists that have one of them."""
        return Coreset(
            tuple(passes for passes in self.lists if names.isdisjoint(passes)),
            {name: weight for name, weight in self.weights.items() if name not in names},
        )


@cache
def load_coreset(action_set: ActionSet) -> Coreset:
    """Return the coreset that ``learn_coreset.py`` made of the labels of the train split.

    Lists with an action that the action set does not have are left out.
    """
    content = json.loads((files(__package__) / FILE).read_text("utf-8"))
    known = set(action_set.names)
    lists = [names for names in content["lists"] if known.issuperset(names)]
    return Coreset(
        tuple(PassList(names, action_set) for names in lists),
        {name: weight for name, weight in content["weights"].items() if name in known},
    )
