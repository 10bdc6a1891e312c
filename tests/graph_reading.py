"""Program graphs as lists of names and of edges, to compare."""

from __future__ import annotations

import numpy as np

from llmopt_bench._core import Module
from llmopt_bench.graph import EDGE_KINDS, GRAPH_VOCABULARY, NODE_KINDS, ProgramGraph, compute_graph

CONTROL, DATA, CALL, TYPE = range(len(EDGE_KINDS))
INSTRUCTION, VALUE, CONSTANT, TYPE_NODE = range(len(NODE_KINDS))


def graph_of(ir: str | bytes) -> ProgramGraph:
    return compute_graph(Module.read(ir.encode() if isinstance(ir, str) else ir, "test"))


def labels_of(graph: ProgramGraph) -> list[str]:
    return [GRAPH_VOCABULARY[label] for label in graph.labels]


def edges_of(graph: ProgramGraph, kind: int) -> list[tuple[int, int, int]]:
    """Return source, target and position of each edge of a kind."""
    chosen = graph.edge_kinds == kind
    rows = np.stack([*graph.edges[:, chosen], graph.positions[chosen]], axis=1)
    return [tuple(row) for row in rows.tolist()]


def opcode_of(label: str) -> str:
    """Return the opcode in the label of an instruction, as ``instcount`` has it in lower case."""
    name = label.split()[0].replace("_", "")
    return "atomiccmpxchg" if name == "cmpxchg" else name


def edges_in(text: str) -> list[tuple[int, int, int]]:
    """Read "0>1 1>2.3": from 0 to 1, and from 1 to 2 at position 3."""
    edges = []
    for word in text.split():
        source, rest = word.split(">")
        target, _, position = rest.partition(".")
        edges.append((int(source), int(target), int(position or 0)))
    return edges
