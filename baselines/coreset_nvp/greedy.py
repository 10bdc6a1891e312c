"""The coreset: a few pass lists that together serve many functions well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .measure import Measured

Floats = NDArray[np.float64]


def rewards_of(table: Measured, power: float) -> Floats:
    """Return what each list saves over -Oz on each function, over the size to a power.

    With the power 1 this is (Oz - new) / Oz, where every function counts the same, as in
    arXiv 2301.05104. With 0 every instruction counts the same, as in the overall improvement.
    """
    oz = np.maximum(table.oz, 1)[:, None]
    return (table.oz[:, None] - table.sizes) / oz**power


def greedy_coreset(rewards: Floats, count: int) -> list[int]:
    """Return the columns of the lists that together do best, the most useful first.

    Maximises J(S) = sum over i of the largest reward[i, j] with j in S, one list at a time. J is
    submodular, so this is at least 63 % of what the best choice wins. Ends when nothing is won.

    Args:
        rewards: (functions, lists).
        count: The most lists.
    """
    order = [int(rewards.sum(axis=0).argmax())]
    best = rewards[:, order[0]]
    while len(order) < count:
        gains = np.maximum(rewards - best[:, None], 0).sum(axis=0)
        taken = int(gains.argmax())
        if gains[taken] <= 0:
            break
        order.append(taken)
        best = np.maximum(best, rewards[:, taken])
    return order
