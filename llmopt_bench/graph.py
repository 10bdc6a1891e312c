"""The graph of a program: instructions, values, constants and types, and how they hang together.

After ProGraML (Cummins et al., "ProGraML: A Graph-based Program Representation for Data Flow
Analysis and Compiler Optimizations", ICML 2021) with its extension by types, made from the IR of
today's LLVM.

Nodes, in this order:

0. Instructions, in the order of functions, blocks and instructions: node ``i`` is the ``i``-th
   instruction of the module. Then one node for the outside, which calls what other modules can
   see, and one for each function that is called without being defined.
1. Values: of each defined function its arguments, then the results of its instructions.
2. Constants that instructions use, each once in the module, in the order of first use. Globals
   are constants, as in LLVM.
3. Types, each once, in the order of first use.

Edges, in this order:

0. Control: from an instruction to the next, and from the last of a block to the first of each
   successor. The position is the number of the successor.
1. Data: from an instruction to its result (position 0), and from values and constants to the
   instructions that use them. The position is the number of the operand; for the value of a
   switch's case, that of its successor; and a constant expression is used like an instruction.
2. Call: from a call to the first instruction of the function, and from each return back to the
   call. External functions and the outside are single nodes that do both. Position 0.
3. Type: from a type to the values and constants that have it (position 0); to the allocas,
   getelementptrs and global variables that say it to be behind a pointer (position 1); and to
   the types that it is an element of (the position is the number of the element).

No edge stands for the function that a direct call names (that is the call edge), for blocks,
metadata, debug records and inline assembly. Initializers of globals, attributes and names are not
in the graph.

What differs from ProGraML: pointers are opaque, hence position 1 of type edges; results that nobody
uses are values too; intrinsics are labels of their calls and no functions; the values of cases
are operands. Labels are classes of a small vocabulary, ``GRAPH_VOCABULARY``, in place of the text
of instructions.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import _core
from llmopt_bench.isolation import Module

NODE_KINDS = ("instruction", "value", "constant", "type")
"""What the numbers in ``ProgramGraph.kinds`` mean."""

EDGE_KINDS = ("control", "data", "call", "type")
"""What the numbers in ``ProgramGraph.edge_kinds`` mean."""

GRAPH_VOCABULARY = tuple(_core.graph_vocabulary())
"""What the numbers in ``ProgramGraph.labels`` mean: first what is in every LLVM, then one name or
several for each opcode of this one. A compare is named with its predicate, a branch as conditional
or not, a call as direct, indirect, of assembly or of an intrinsic, of which the common ones have
their own names. An integer constant is small when eight bits hold it; a global constant is a global
variable that is never written."""

# Counts up when graphs change though the vocabulary does not.
_DEFINITION = 1
_names = "\n".join(GRAPH_VOCABULARY).encode()
GRAPH_VERSION = f"graph-{_DEFINITION}-{hashlib.sha256(_names).hexdigest()[:12]}"
"""Changes with what a graph is or with its vocabulary: a model is for one version of graphs."""


class ProgramGraph(NamedTuple):
    """The graph of a program; the module says what its nodes and edges are.

    A function of the IR alone: the same in every process, and however the module was made.
    """

    kinds: NDArray[np.uint8]
    """Of each node, its place in ``NODE_KINDS``: shape (nodes,), ascending."""
    labels: NDArray[np.int32]
    """Of each node, its place in ``GRAPH_VOCABULARY``: shape (nodes,)."""
    edges: NDArray[np.int32]
    """Of each edge, the numbers of the nodes from which and to which it goes: shape (2, edges)."""
    edge_kinds: NDArray[np.uint8]
    """Of each edge, its place in ``EDGE_KINDS``: shape (edges,), ascending."""
    positions: NDArray[np.int32]
    """Of each edge, the number of its operand, successor or element: shape (edges,)."""


def compute_graph(module: Module) -> ProgramGraph:
    """Return the graph of a module.

    Takes time and memory in proportion to the size of the graph: about two nodes and five edges
    for an instruction. Only functions that return in many places and are called in many have
    more: an edge from each return to each call.
    """
    return ProgramGraph(*module.graph())
