"""Files of trained models: tensors and the facts that they must not be used without.

The format is safetensors, with the facts as JSON in its metadata: reading a model runs nothing of
it. A model is only good for the action set and the features that it was trained with, so their
hashes are among the facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from llmopt_bench import GRAPH_VERSION, ActionSet, BadModel, UnknownName, feature_names, write_whole

FORMAT = 1
_KEY = "llmopt_bench"
_GRAPH = "graph"


@dataclass(frozen=True)
class Model:
    """What a file of a model holds."""

    tensors: Mapping[str, NDArray[np.float32]]
    facts: Mapping[str, Any]
    """By name: kind, format, action_set, action_set_sha256, features, features_sha256, and what
    the trainer added."""


def save_model(
    path: Path,
    kind: str,
    tensors: Mapping[str, NDArray[np.float32]],
    facts: Mapping[str, Any],
    *,
    action_set: ActionSet,
    features: str = "autophase",
) -> None:
    """Write a model so that the file is whole or not there.

    Args:
        path: Where to.
        kind: What the model is of, for example ``autophase``.
        tensors: By name.
        facts: More that belongs to the model, as JSON can hold it.
        action_set: What its outputs stand for.
        features: The features that it takes: a name of ``feature_names``, or ``graph``.
    """
    about = {
        **facts,
        "kind": kind,
        "format": FORMAT,
        "action_set": action_set.name,
        "action_set_sha256": action_set.sha256,
        "features": features,
        "features_sha256": _hash_of(features),
    }
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_whole(path, save(arrays, metadata={_KEY: json.dumps(about, sort_keys=True)}))


def load_model(path: Path, kind: str, action_set: ActionSet) -> Model:
    """Return the model in a file.

    Raises:
        BadModel: There is no model of this kind in it, or it was trained for another action set
            or with other features.
    """
    facts, tensors = _read(path)
    _expect(path, "kind", kind, facts.get("kind"), "Train one with `llmopt-bench train`.")
    _expect(path, "format", FORMAT, facts.get("format"), "It needs another version of the library.")
    again = "Train it again with `llmopt-bench train`."
    found = (facts.get("action_set"), facts.get("action_set_sha256"))
    _expect(path, "action set", (action_set.name, action_set.sha256), found, again)
    features = facts.get("features")
    try:
        known = _hash_of(features) if isinstance(features, str) else None
    except UnknownName:
        known = None
    if known is None:
        raise BadModel(f"{path}: expected the name of its features, got {features!r}. {again}")
    _expect(path, f"features {features}", known, facts.get("features_sha256"), again)
    return Model(tensors, facts)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, ValueError) as error:
        raise BadModel(
            f"{path}: expected a model, got {error}. Name a file that `llmopt-bench train` wrote."
        ) from error
    if not isinstance(facts, dict):
        raise BadModel(
            f"{path}: expected a model of this library, got other tensors. "
            "Name a file that `llmopt-bench train` wrote."
        )
    return facts, tensors


def _hash_of(features: str) -> str:
    """Return the hash of what the features are: another order or meaning, another hash.

    Raises:
        UnknownName: There are no such features.
    """
    meaning = GRAPH_VERSION if features == _GRAPH else "\n".join(feature_names(features))
    return hashlib.sha256(meaning.encode()).hexdigest()


def _expect(path: Path, what: str, expected: object, found: object, advice: str) -> None:
    if found != expected:
        raise BadModel(f"{path}: expected {what} {expected!r}, got {found!r}. {advice}")
