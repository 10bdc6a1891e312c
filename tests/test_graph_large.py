"""Graphs of whole programs, held against what other code says of the same programs."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from graph_reading import (
    CALL,
    CONSTANT,
    CONTROL,
    DATA,
    TYPE,
    TYPE_NODE,
    VALUE,
    edges_of,
    graph_of,
    labels_of,
    opcode_of,
)

from llmopt_bench import load_program, make_dataset
from llmopt_bench._core import Module
from llmopt_bench.datasets.llvm_stress import LlvmStressPrograms
from llmopt_bench.features import compute_features, feature_names
from llmopt_bench.graph import GRAPH_VOCABULARY, ProgramGraph, compute_graph

FIXED_OPERANDS = {
    **dict.fromkeys(["load", "fneg", "freeze", "zext", "sext", "trunc", "bitcast", "alloca"], 1),
    **dict.fromkeys(["add", "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr"], 2),
    **dict.fromkeys(["icmp", "fcmp", "store", "extractelement"], 2),
    **dict.fromkeys(["select", "insertelement"], 3),
}
# LLVM's terminators, with how many successors they have where that is fixed.
SUCCESSORS = {
    **dict.fromkeys(["ret", "unreachable", "resume"], 0),
    "br": 1,
    **dict.fromkeys(["br conditional", "invoke"], 2),
    **dict.fromkeys(["switch", "indirectbr", "callbr", "catchswitch", "cleanupret", "catchret"]),
}


def check_invariants(module: Module) -> None:
    graph = compute_graph(module)
    check_shape(graph)
    autophase = dict(
        zip(feature_names("autophase"), compute_features(module, "autophase"), strict=True)
    )
    check_opcodes(module, graph)
    check_control(graph, autophase)
    check_calls(graph)
    check_data(graph)
    check_integers(graph, autophase)
    check_types(graph)


def check_shape(graph: ProgramGraph) -> None:
    nodes, edges = len(graph.kinds), len(graph.edge_kinds)
    assert graph.labels.shape == (nodes,)
    assert graph.edges.shape == (2, edges)
    assert graph.positions.shape == (edges,)
    dtypes = [part.dtype for part in graph]
    assert dtypes == [np.uint8, np.int32, np.int32, np.uint8, np.int32]
    assert np.all((graph.edges >= 0) & (graph.edges < nodes))
    assert np.all(graph.positions >= 0)
    for kinds in (graph.kinds, graph.edge_kinds):
        assert np.all(np.diff(kinds.astype(int)) >= 0)
        assert kinds.max(initial=0) < 4
    constant_or_type = np.array([name.split()[0] for name in GRAPH_VOCABULARY])[graph.labels]
    assert np.array_equal(constant_or_type == "constant", graph.kinds == CONSTANT)
    assert np.array_equal(constant_or_type == "type", graph.kinds == TYPE_NODE)
    assert np.array_equal(np.isin(graph.labels, [2, 3]), graph.kinds == VALUE)


def check_opcodes(module: Module, graph: ProgramGraph) -> None:
    found = Counter(opcode_of(label) for label in labels_of(graph)[: module.instruction_count()])
    names = feature_names("instcount_native")[3:]
    counts = compute_features(module, "instcount_native")[3:]
    assert found == {name.lower(): n for name, n in zip(names, counts, strict=True) if n}


def check_control(graph: ProgramGraph, autophase: dict[str, int]) -> None:
    labels = labels_of(graph)[: autophase["TotalInsts"]]
    successors: dict[int, list[tuple[int, int]]] = {node: [] for node in range(len(labels))}
    for source, target, position in edges_of(graph, CONTROL):
        successors[source].append((position, target))
    predecessors: Counter[int] = Counter()
    for node, label in enumerate(labels):
        if label not in SUCCESSORS:
            assert successors[node] == [(0, node + 1)]
            continue
        assert SUCCESSORS[label] in (None, len(successors[node]))
        assert [position for position, _ in successors[node]] == list(range(len(successors[node])))
        predecessors.update(target for _, target in successors[node])
    # Blocks by the edges that enter them, and edges between blocks.
    numbers = Counter(min(number, 3) for number in predecessors.values())
    assert numbers[1] == autophase["onePred"]
    assert numbers[2] == autophase["twoPred"]
    assert numbers[3] == autophase["morePreds"]
    assert predecessors.total() == autophase["NumEdges"]
    forks = [edges for node, edges in successors.items() if len(edges) > 1]
    critical = sum(predecessors[target] > 1 for edges in forks for _, target in edges)
    assert critical == autophase["CriticalCount"]


def check_calls(graph: ProgramGraph) -> None:
    labels = labels_of(graph)
    out: dict[int, list[int]] = {}
    back: dict[int, list[int]] = {}
    for source, target, position in edges_of(graph, CALL):
        assert position == 0
        returns = labels[source] in ("ret", "external function")
        (back.setdefault(target, []) if returns else out.setdefault(source, [])).append(
            source if returns else target
        )
    # Of what a call enters, each return comes back to it. Functions lie one after the other.
    outside = labels.index("outside")
    entries = sorted({entry for called in out.values() for entry in called if entry < outside})
    called = {node for node, label in enumerate(labels) if label == "call"}
    assert called <= set(out) <= called | {outside, *find(labels, "invoke")}
    for caller, entered in out.items():
        assert len(entered) == 1 or caller == outside
        for end in back.get(caller, []):
            first = end if end > outside else max(entry for entry in entries if entry <= end)
            assert first in entered
    comes_back = {end for ends in back.values() for end in ends}
    assert set(find(labels, "external function")) <= comes_back


def find(labels: list[str], label: str) -> list[int]:
    return [node for node, other in enumerate(labels) if other == label]


def check_integers(graph: ProgramGraph, autophase: dict[str, int]) -> None:
    """Integer constants count once for each use by an instruction."""
    labels = labels_of(graph)
    types = {target: labels[source] for source, target, at in edges_of(graph, TYPE) if at == 0}
    instructions = autophase["TotalInsts"]
    uses = [source for source, target, _ in edges_of(graph, DATA) if target < instructions]
    integers = [use for use in uses if labels[use].startswith("constant int")]
    assert sum(types[use] == "type i32" for use in integers) == autophase["const32Bit"]
    assert sum(types[use] == "type i64" for use in integers) == autophase["const64Bit"]
    values = Counter(labels[use] for use in integers)
    assert values["constant int zero"] == autophase["numConstZeroes"]
    assert values["constant int one"] == autophase["numConstOnes"]


def check_data(graph: ProgramGraph) -> None:
    labels = labels_of(graph)
    data = edges_of(graph, DATA)
    makers = Counter(target for _, target, _ in data if graph.kinds[target] == VALUE)
    expected = {node: 1 for node, label in enumerate(labels) if label == "result"}
    assert makers == expected
    operands: dict[int, list[int]] = {}
    for source, target, position in data:
        if graph.kinds[target] != VALUE:
            assert graph.kinds[source] in (VALUE, CONSTANT)
            operands.setdefault(target, []).append(position)
    for node, positions in operands.items():
        assert len(set(positions)) == len(positions), labels[node]
    for node, label in enumerate(labels):
        wanted = FIXED_OPERANDS.get(opcode_of(label))
        if wanted:
            assert sorted(operands[node]) == list(range(wanted)), label


def check_types(graph: ProgramGraph) -> None:
    own = Counter(
        target
        for _, target, position in edges_of(graph, TYPE)
        if position == 0 and graph.kinds[target] in (VALUE, CONSTANT)
    )
    typed = np.flatnonzero(np.isin(graph.kinds, [VALUE, CONSTANT]))
    assert own == dict.fromkeys(typed.tolist(), 1)
    sources = graph.edges[0][graph.edge_kinds == TYPE]
    assert np.all(graph.kinds[sources] == TYPE_NODE)
    # Every type is there because something has it.
    assert set(sources) == set(np.flatnonzero(graph.kinds == TYPE_NODE))


class TestInvariants:
    @pytest.mark.parametrize("uri", list(make_dataset("bundled-v1").uris()))
    def test_of_the_programs(self, uri: str) -> None:
        module = Module.read(load_program(uri).bitcode, uri)
        check_invariants(module)
        module.run_clang("z")
        check_invariants(module)

    @pytest.mark.skipif(not LlvmStressPrograms().installed, reason="needs llvm-stress of LLVM 22")
    def test_of_random_programs(self) -> None:
        for program in islice(LlvmStressPrograms(), 20):
            check_invariants(Module.read(program.bitcode, program.uri))

    def test_of_a_switch_with_many_cases(self) -> None:
        cases = " ".join(f"i32 {n}, label %{'ab'[n % 2]}" for n in range(5000))
        graph = graph_of(f"""define void @f(i32 %k) {{
            switch i32 %k, label %a [ {cases} ]
            a: ret void
            b: ret void }}""")
        assert len(edges_of(graph, CONTROL)) == 5001
        assert (graph.kinds == CONSTANT).sum() == 5000
