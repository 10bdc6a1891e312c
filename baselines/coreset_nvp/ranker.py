"""A trained network at work: which list of the coreset to try next on a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import ActionSet, BadModel, PassList, Session

from ..mlp import Mlp
from ..models import Model, load_model
from .inputs import state_of, vector_of

KIND = "coreset-nvp"
HEAD = "head."
"""What the names of the head's tensors begin with."""

Array = NDArray[np.float32]


class Encoder(Protocol):
    """Makes a vector of a program."""

    def __call__(self, session: Session, /) -> Array:
        """Return the vector of the session's unoptimised program."""


@dataclass(frozen=True)
class Ranker:
    """The coreset and the network that ranks it."""

    lists: tuple[PassList, ...]
    """In the fixed order: the most useful first."""
    encode: Encoder
    head: Mlp
    adaptive: bool
    """Whether the network sees what the lists so far have made of the program."""

    def best(self, encoded: Array, sizes: Mapping[int, int], initial: int) -> int:
        """Return the number of the list to try next.

        Args:
            encoded: What ``encode`` returned for the program.
            sizes: What the lists that were tried have made of it, by number.
            initial: Its size, unoptimised.
        """
        seen = sizes if self.adaptive else {}
        state = state_of(seen, initial, len(self.lists))
        logits = self.head(np.concatenate([encoded, state]))
        logits[list(sizes)] = -np.inf
        return int(logits.argmax())


def load_ranker(path: Path, action_set: ActionSet) -> Ranker:
    """Return the ranker in a file.

    Raises:
        BadModel: The file holds none, or one for another action set or other features.
        ImportError: It is a graph network, and PyTorch is not installed.
    """
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _load(path, action_set, changed)


@lru_cache(maxsize=8)
def _load(path: Path, action_set: ActionSet, changed: int) -> Ranker:
    model = load_model(path, KIND, action_set)
    try:
        lists = tuple(PassList(names, action_set) for names in model.facts["lists"])
        head = Mlp.of(model.tensors, HEAD, "relu")
        outputs = len(head.layers[-1][1])
        if outputs != len(lists):
            raise ValueError(f"{outputs} outputs for {len(lists)} lists")
        return Ranker(lists, _encoder(model), head, bool(model.facts["adaptive"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(
            f"{path}: expected lists and a network, got {type(error).__name__}: {error}. "
            "Train it again with `llmopt-bench train coreset-nvp`."
        ) from error


def _encoder(model: Model) -> Encoder:
    name = model.facts["encoder"]
    if name == "gnn":
        from .graphs import graph_encoder

        return graph_encoder(model.tensors, model.facts["settings"])
    if name != "mlp":
        raise ValueError(f"unknown encoder {name!r}")
    mean, scale = model.tensors["encoder.mean"], model.tensors["encoder.scale"]
    return lambda session: (vector_of(session.features("autophase")) - mean) / scale
