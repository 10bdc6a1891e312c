"""What an environment shows of a module: observations by name, with their Gymnasium spaces."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.features import feature_names, feature_sets
from llmopt_bench.graph import EDGE_KINDS, GRAPH_VOCABULARY
from llmopt_bench.session import Session

_MAX_COUNT = 1 << 53  # far more than any program has; samples up to the largest int64 overflow
_MAX_TEXT = 1 << 27
# With no limit on the length of an episode, the histogram is scaled as AutoPhase's episodes are.
_DEFAULT_EPISODE = 45
# What Gymnasium samples as None.
_NO_EDGES = np.empty((0, 2), dtype=np.int32)


class IRText(spaces.Text):
    """IR text: ASCII of any length up to 128 MiB.

    ``spaces.Text`` checks and samples character by character; a module has millions of them.
    """

    def __init__(self) -> None:
        super().__init__(max_length=_MAX_TEXT, min_length=0, charset=string.printable)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is ASCII text that is not too long."""
        return isinstance(x, str) and len(x) <= _MAX_TEXT and x.isascii()

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a comment line of random letters, which is valid IR."""
        letters = self.np_random.choice(list(string.ascii_letters), size=16)
        return "; " + "".join(letters) + "\n"


class Graphs(spaces.Graph):
    """Program graphs: ``llmopt_bench.graph`` as Gymnasium has it.

    Of each node the label, int64; of each edge kind and position, int32 of shape (2,), and in
    ``edge_links`` its two nodes. The kind of a node follows from its label.

    ``spaces.Graph`` checks node by node and edge by edge; a module has thousands of them.
    """

    def __init__(self) -> None:
        highest = np.array([len(EDGE_KINDS) - 1, np.iinfo(np.int32).max], dtype=np.int32)
        edges = spaces.Box(np.zeros_like(highest), highest, dtype=np.int32)
        super().__init__(spaces.Discrete(len(GRAPH_VOCABULARY)), edges)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a graph of such nodes and edges."""
        if not isinstance(x, spaces.GraphInstance):
            return False
        nodes, edges, links = (_NO_EDGES if part is None else np.asarray(part) for part in x)
        return (
            nodes.ndim == 1
            and edges.shape == links.shape == (len(edges), 2)
            and _all_below(nodes, len(GRAPH_VOCABULARY))
            and _all_below(edges[:, 0], len(EDGE_KINDS))
            and _all_below(edges[:, 1], np.iinfo(np.int32).max + 1)
            and _all_below(links, len(nodes))
        )


def _all_below(numbers: NDArray[Any], limit: int) -> bool:
    """Whether all are integers from 0 to ``limit`` - 1."""
    whole = np.issubdtype(numbers.dtype, np.integer)
    return bool(whole and np.all((numbers >= 0) & (numbers < limit)))


Features = NDArray[np.int64]
Compute = Callable[[Session, int, Features | None, Sequence[int]], Any]
"""From the session, its instruction count, its Autophase features of shape (56,) (None unless
``needs_autophase``), and the actions taken in the episode, to the observation."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation, or several by name."""

    space: spaces.Space[Any]
    compute: Compute
    needs_autophase: bool = False


def make_observation(
    names: str | Sequence[str], actions: int, max_passes: int | None = None
) -> Observation:
    """Return the observation of that name; for several names a ``Dict`` of them.

    ========================  ===========================================================
    ``autophase``             int64 (56,), LLVM 10's definitions
    ``autophase_native``      int64 (56,), today's LLVM
    ``autophase_normalized``  float32 (56 + actions,): features over total instructions,
                              clipped to [0, 1], then how often each action was taken over
                              the length of an episode (``max_passes``, or 45)
    ``instcount``             int64 (70,), LLVM 10's opcodes
    ``instcount_native``      int64 (71,), today's opcodes
    ``instruction_count``     int64 (1,)
    ``graph``                 the labels of nodes, kinds and positions of edges, and the
                              edges: a ``GraphInstance``
    ``ir``                    text
    ``ir_normalized``         text as arXiv 2309.07062 feeds it to a model
    ========================  ===========================================================

    Args:
        names: One name, or several.
        actions: How many actions there are, without the stop action.
        max_passes: The longest episode, to scale the histogram of ``autophase_normalized``.

    Raises:
        UnknownName: There is no such observation.
    """
    if isinstance(names, str):
        return _make_one(names, actions, max_passes)
    parts = {name: _make_one(name, actions, max_passes) for name in names}
    if not parts:
        raise UnknownName("expected at least one observation, got none. Name one.")
    return Observation(
        spaces.Dict({name: part.space for name, part in parts.items()}),
        lambda *state: {name: part.compute(*state) for name, part in parts.items()},
        any(part.needs_autophase for part in parts.values()),
    )


def observation_names() -> tuple[str, ...]:
    """Return the names of all observations."""
    others = ("autophase_normalized", "graph", "instruction_count", "ir", "ir_normalized")
    return (*feature_sets(), *others)


def _make_one(name: str, actions: int, max_passes: int | None) -> Observation:
    if name == "autophase":
        return Observation(_counts(56), lambda session, count, features, actions: features, True)
    if name == "autophase_normalized":
        return _normalized(actions, max_passes or _DEFAULT_EPISODE)
    if name in feature_sets():
        return Observation(
            _counts(len(feature_names(name))),
            lambda session, *state: session.features(name),
        )
    if name == "instruction_count":
        return Observation(
            _counts(1), lambda session, count, *state: np.array([count], dtype=np.int64)
        )
    if name == "graph":
        return Observation(Graphs(), lambda session, *state: _graph(session))
    if name in ("ir", "ir_normalized"):
        normalized = name == "ir_normalized"
        return Observation(IRText(), lambda session, *state: session.ir(normalized))
    raise UnknownName(unknown("observation", str(name), observation_names()))


def _counts(size: int) -> spaces.Box:
    return spaces.Box(0, _MAX_COUNT, (size,), dtype=np.int64)


def _graph(session: Session) -> spaces.GraphInstance:
    graph = session.graph()
    edges = np.stack([graph.edge_kinds.astype(np.int32), graph.positions], axis=1)
    return spaces.GraphInstance(graph.labels.astype(np.int64), edges, graph.edges.T)


def _normalized(actions: int, episode: int) -> Observation:
    def compute(
        session: Session, count: int, features: Features | None, taken: Sequence[int]
    ) -> NDArray[np.float32]:
        scaled = np.clip(_present(features) / max(count, 1), 0.0, 1.0)
        histogram = np.bincount(np.asarray(taken, dtype=np.intp), minlength=actions)
        return np.concatenate([scaled, np.minimum(histogram / episode, 1.0)]).astype(np.float32)

    return Observation(spaces.Box(0.0, 1.0, (56 + actions,), dtype=np.float32), compute, True)


def _present(features: Features | None) -> Features:
    if features is None:
        raise gym.error.Error("the environment did not compute the Autophase features it needs")
    return features
