"""What the policy sees and may do: the same code in training and at test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import feature_names

from .actions import ACTION_NAMES

FEATURE_SET = "autophase"
FEATURES = len(feature_names(FEATURE_SET))
EPISODE = 45
"""The most actions of an episode."""
_CLAIMS_ALWAYS = ACTION_NAMES.index("correlated-propagation")
"""It says of every program that it changed it."""
_TOTAL = feature_names(FEATURE_SET).index("TotalInsts")


def observe(features: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the observations of some programs, as CompilerGym's AutoPhase makes them.

    Args:
        features: Autophase features, of shape (programs, 56).
        taken: How often each action was taken in the episode, of shape (programs, actions).

    Returns:
        Features over the number of instructions, then actions over ``EPISODE``, both clipped to
        [0, 1]: float32 of shape (programs, 56 + actions).
    """
    totals = np.maximum(features[:, _TOTAL : _TOTAL + 1], 1)
    rows = np.concatenate([features / totals, taken / EPISODE], axis=1, dtype=np.float32)
    return rows.clip(0.0, 1.0)


class History:
    """The actions of some episodes that go on side by side.

    Passes are deterministic, so an action that has changed nothing is of no use until another
    one has changed something. Some passes say at times that they changed a program which they
    left as it was. So what an action did must also be seen in the features, or the action has to
    wait for another one.
    """

    def __init__(self, episodes: int) -> None:
        self.taken = np.zeros((episodes, len(ACTION_NAMES)), dtype=np.int64)
        """How often each action was taken, of shape (episodes, actions)."""
        self.useful = np.ones((episodes, len(ACTION_NAMES)), dtype=np.bool_)
        """Whether an action may change the program, of the same shape."""

    def note(
        self, actions: NDArray[np.int64], changed: NDArray[np.bool_], seen: NDArray[np.bool_]
    ) -> None:
        """Note the action of each episode.

        Args:
            actions: Their numbers.
            changed: Whether it says that it has changed the program.
            seen: Whether the features are others than before.
        """
        rows = np.arange(len(actions))
        self.taken[rows, actions] += 1
        self.useful[changed & (seen | (actions != _CLAIMS_ALWAYS))] = True
        self.useful[rows, actions] = changed & seen

    def forget(self, episodes: NDArray[np.bool_]) -> None:
        """Start these episodes again."""
        self.taken[episodes] = 0
        self.useful[episodes] = True

    @property
    def exhausted(self) -> NDArray[np.bool_]:
        """The episodes in which no action can change the program any more."""
        return np.logical_not(self.useful.any(axis=1))
