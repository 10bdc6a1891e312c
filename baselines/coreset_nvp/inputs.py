"""What the network sees: the program, and what the lists that were tried have made of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import feature_names

Array = NDArray[np.float32]

_TOTAL = "TotalInsts"
_SCALE = 8.0
"""Logarithms of sizes are stretched, since one instruction in fifty should be seen."""


def vector_of(features: NDArray[np.int64]) -> Array:
    """Return Autophase features as the network takes them: logarithms, and shares of the total.

    Args:
        features: (..., 56) counts.
    """
    total = features[..., feature_names("autophase").index(_TOTAL), None]
    parts = [np.log1p(features), features / np.maximum(total, 1)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def state_width(lists: int) -> int:
    """Return how many numbers say what the lists have made of a function so far."""
    return 2 * lists


def state_of(results: Mapping[int, int], initial: int, lists: int) -> Array:
    """Return which lists were tried, and how much smaller each has made the function.

    Args:
        results: Size by number of the list.
        initial: Size of the unoptimised function.
        lists: How many lists there are.
    """
    state = np.zeros((2, lists), dtype=np.float32)
    for number, size in results.items():
        state[0, number] = 1
        state[1, number] = saving_of(size, initial)
    return state.reshape(-1)


def saving_of(size: NDArray[np.int64] | int, initial: NDArray[np.int64] | int) -> float | Array:
    """Return the logarithm of what a list saves, as the network sees it."""
    return (_SCALE * np.log(np.maximum(initial, 1) / np.maximum(size, 1))).astype(np.float32)
