"""The graph network of PyTorch Geometric, as an encoder of programs.

Messages go along every edge in both directions (GINE: Hu et al., arXiv 1905.12265), so that a node
gets to know what computes its operands and who uses its result. arXiv 2301.05104 compares several
kinds of messages, which differ little there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINEConv, global_max_pool, global_mean_pool

from llmopt_bench import GRAPH_VOCABULARY, ProgramGraph, Session

from .network import Encoder

_KINDS = 4
"""Of nodes, and of edges."""
_POSITIONS = 8
"""Operands and successors from the eighth on are one."""
_PREFIX = "encoder."


class Graphs:
    """Functions that are graphs."""

    def __init__(self, graphs: Iterable[ProgramGraph]) -> None:
        self._graphs = list(map(_data, graphs))

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Return some of them as one graph that hangs together nowhere between them."""
        return Batch.from_data_list([self._graphs[row] for row in rows])


class GraphEncoder(Encoder):
    """Makes a vector of each graph: the mean and the largest of what its nodes got to know.

    Args:
        nodes: Width of what a node knows.
        messages: How far messages go.
    """

    def __init__(self, nodes: int, messages: int) -> None:
        super().__init__()
        self.width = 2 * nodes + _KINDS
        self.labels = nn.Embedding(len(GRAPH_VOCABULARY), nodes)
        self.kinds = nn.Embedding(_KINDS, nodes)
        self.edges = nn.Embedding(2 * _KINDS, nodes)
        self.positions = nn.Embedding(_POSITIONS, nodes)
        self.rounds = nn.ModuleList(GINEConv(_update(nodes)) for _ in range(messages))
        self.norms = nn.ModuleList(nn.LayerNorm(nodes) for _ in range(messages))

    def forward(self, graphs: Any) -> Tensor:
        """Return a vector for each graph of a batch."""
        x = self.labels(graphs.labels) + self.kinds(graphs.kinds)
        edges = self.edges(graphs.edge_kinds) + self.positions(graphs.positions)
        for message, norm in zip(self.rounds, self.norms, strict=True):
            x = x + torch.relu(norm(message(x, graphs.edge_index, edges)))
        pooled = (global_mean_pool(x, graphs.batch), global_max_pool(x, graphs.batch))
        return torch.cat([*pooled, torch.log1p(graphs.counts)], dim=1)


def graph_encoder(
    arrays: Mapping[str, NDArray[np.float32]], settings: Mapping[str, Any]
) -> Callable[[Session], NDArray[np.float32]]:
    """Return a trained encoder, for one program at a time.

    Args:
        arrays: The weights of the whole network.
        settings: Those of its training.
    """
    encoder = GraphEncoder(settings["nodes"], settings["messages"])
    own = {name: array for name, array in arrays.items() if name.startswith(_PREFIX)}
    encoder.load_state_dict(
        {name.removeprefix(_PREFIX): torch.from_numpy(array) for name, array in own.items()}
    )
    encoder.eval()

    def encode(session: Session) -> NDArray[np.float32]:
        with torch.no_grad():
            vectors = encoder(Graphs([session.graph()]).batch(np.arange(1)))
        return cast("NDArray[np.float32]", vectors[0].numpy())

    return encode


def _update(nodes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(nodes, nodes), nn.ReLU(), nn.Linear(nodes, nodes))


def _data(graph: ProgramGraph) -> Data:
    edges = torch.from_numpy(graph.edges.astype(np.int64))
    kinds = torch.from_numpy(graph.edge_kinds.astype(np.int64))
    positions = torch.from_numpy(np.clip(graph.positions, 0, _POSITIONS - 1).astype(np.int64))
    counts = np.bincount(graph.kinds, minlength=_KINDS).astype(np.float32)
    return Data(
        num_nodes=len(graph.kinds),
        labels=torch.from_numpy(graph.labels.astype(np.int64)),
        kinds=torch.from_numpy(graph.kinds.astype(np.int64)),
        edge_index=torch.cat([edges, edges.flip(0)], dim=1),
        edge_kinds=torch.cat([kinds, kinds + _KINDS]),
        positions=torch.cat([positions, positions]),
        counts=torch.from_numpy(counts)[None],
    )
