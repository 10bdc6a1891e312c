"""The trained policy in NumPy, and the file that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import ActionSet, BadModel

from ..mlp import Mlp
from ..models import load_model, save_model
from .actions import ACTION_NAMES
from .observation import FEATURE_SET, FEATURES

KIND = "autophase"
PREFIX = "policy."
_ACTIVATION = "relu"


@dataclass(frozen=True)
class Policy:
    """Chooses the action with the highest output of a network."""

    network: Mlp
    masked: bool
    """Whether it chooses only among actions that may change the program."""
    data: tuple[str, ...] = ()
    """The datasets that it was trained on."""

    def act(
        self, observations: NDArray[np.float32], useful: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return the number of an action for each program.

        Args:
            observations: As ``observe`` makes them.
            useful: Which actions may change the programs, of shape (programs, actions).
        """
        scores = self.network(observations)
        if self.masked:
            scores = np.where(useful, scores, -np.inf)
        chosen: NDArray[np.int64] = scores.argmax(axis=1)
        return chosen


def policy_of(tensors: Mapping[str, NDArray[np.float32]], masked: bool) -> Policy:
    """Return the policy with these layers; see ``save_policy``.

    Raises:
        KeyError, ValueError: They make no network.
    """
    return Policy(Mlp.of(tensors, PREFIX, _ACTIVATION), masked)


def save_policy(
    path: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    masked: bool,
    facts: Mapping[str, Any],
    action_set: ActionSet,
) -> None:
    """Write a policy.

    Args:
        path: Where to.
        tensors: The layers of its network: ``policy.0.weight``, ``policy.0.bias``, and on.
        masked: As in ``Policy``.
        facts: More that belongs to it: ``data``, the names of datasets, and what else is known.
        action_set: Where its actions are from.
    """
    about = {**facts, "masked": masked, "actions": list(ACTION_NAMES)}
    save_model(path, KIND, tensors, about, action_set=action_set, features=FEATURE_SET)


def load_policy(path: Path, action_set: ActionSet) -> Policy:
    """Return the policy in a file.

    Raises:
        BadModel: There is none in it, or it was trained for other actions or features.
    """
    model = load_model(path, KIND, action_set)
    again = "Train it again with `llmopt-bench train autophase`."
    if model.facts["features"] != FEATURE_SET:
        found = model.facts["features"]
        raise BadModel(f"{path}: expected features {FEATURE_SET!r}, got {found!r}. {again}")
    if model.facts.get("actions") != list(ACTION_NAMES):
        raise BadModel(
            f"{path}: expected a policy over the {len(ACTION_NAMES)} actions of AutoPhase, got "
            f"other actions. {again}"
        )
    try:
        policy = policy_of(model.tensors, model.facts.get("masked") is True)
    except (KeyError, ValueError) as error:
        raise BadModel(f"{path}: expected the layers of a network, got {error}. {again}") from error
    layers = policy.network.layers
    shape = (layers[0][0].shape[1], len(layers[-1][1]))
    expected = (FEATURES + len(ACTION_NAMES), len(ACTION_NAMES))
    if shape != expected:
        raise BadModel(f"{path}: expected {expected} inputs and outputs, got {shape}. {again}")
    return replace(policy, data=tuple(model.facts.get("data", ())))
