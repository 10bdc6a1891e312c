"""Program graphs: what is in small ones, and that they are the same wherever they are made."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from graph_reading import (
    CALL,
    CONSTANT,
    CONTROL,
    DATA,
    TYPE,
    edges_in,
    edges_of,
    graph_of,
    labels_of,
    opcode_of,
)
from graphs_by_hand import BY_HAND, ODD
from gymnasium.spaces import GraphInstance

from llmopt_bench import Session, load_program, make_action_set, make_dataset
from llmopt_bench._core import Module
from llmopt_bench.features import feature_names
from llmopt_bench.frontend import compile_source
from llmopt_bench.graph import (
    EDGE_KINDS,
    GRAPH_VERSION,
    GRAPH_VOCABULARY,
    NODE_KINDS,
    ProgramGraph,
    compute_graph,
)
from llmopt_bench.observations import Graphs

PROGRAMS = tuple(make_dataset("bundled-v1").uris())


def digest(graph: ProgramGraph) -> str:
    return hashlib.sha256(b"".join(part.tobytes() for part in graph)).hexdigest()


def same(first: ProgramGraph, second: ProgramGraph) -> bool:
    return all(map(np.array_equal, first, second))


@pytest.mark.parametrize("name", BY_HAND)
def test_counted_by_hand(name: str) -> None:
    ir, labels, edges = BY_HAND[name]
    graph = graph_of(ir)
    assert ", ".join(labels_of(graph)) == labels
    for kind in range(len(EDGE_KINDS)):
        assert edges_of(graph, kind) == edges_in(edges[kind]), EDGE_KINDS[kind]
    assert len(graph.positions) == sum(len(text.split()) for text in edges)


@pytest.mark.parametrize("name", ODD)
def test_odd_modules(name: str) -> None:
    ir, labels, control, data = ODD[name]
    graph = graph_of(ir)
    found = [label for label in labels_of(graph) if not label.startswith("type")]
    assert ", ".join(found) == labels
    assert edges_of(graph, CONTROL) == edges_in(control)
    assert edges_of(graph, DATA) == edges_in(data)


def test_who_may_be_called_from_outside() -> None:
    graph = graph_of("""
        @keep = global ptr @stored
        define internal void @stored() {
          ret void
        }
        define internal void @hidden() {
          ret void
        }
        define void @seen() {
          ret void
        }""")
    assert edges_of(graph, CALL) == edges_in("3>0 0>3 3>2 2>3")


@pytest.mark.parametrize(
    ("type_name", "value", "label"),
    [
        ("i32", "0", "int zero"),
        ("i32", "1", "int one"),
        ("i1", "true", "int one"),
        ("i32", "-1", "int minus one"),
        ("i32", "127", "int small"),
        ("i32", "-128", "int small"),
        ("i32", "128", "int other"),
        ("i128", "-129", "int other"),
        ("double", "0.0", "float zero"),
        ("double", "-0.0", "float zero"),
        ("float", "1.0", "float other"),
        ("ptr", "null", "null"),
        ("i32", "undef", "undef"),
        ("i32", "poison", "poison"),
        ("{ i32, i32 }", "zeroinitializer", "zero aggregate"),
        ("{ i32, i32 }", "{ i32 1, i32 0 }", "aggregate"),
        ("[2 x i8]", "[i8 1, i8 2]", "aggregate"),
        ("ptr", "inttoptr (i64 3 to ptr)", "expression"),
        ("ptr", "@variable", "global variable"),
        ("ptr", "@text", "global constant"),
        ("ptr", "@extern", "global declared"),
        ("ptr", "@f", "function"),
        ("ptr", "@alias", "alias"),
        ("ptr", "dso_local_equivalent @f", "other"),
    ],
)
def test_labels_of_constants(type_name: str, value: str, label: str) -> None:
    graph = graph_of(f"""
        @variable = global i32 2
        @text = constant i32 2
        @extern = external constant i32
        @alias = alias i32, ptr @variable
        define {type_name} @f() {{
          ret {type_name} {value}
        }}""")
    # The first constant is the one that is returned.
    assert labels_of(graph)[list(graph.kinds).index(CONSTANT)] == f"constant {label}"


@pytest.mark.parametrize(
    ("type_name", "label"),
    [
        *((f"i{bits}", f"i{bits}") for bits in (1, 8, 16, 32, 64, 128)),
        ("i7", "int other"),
        ("float", "float"),
        ("double", "double"),
        ("half", "float other"),
        ("x86_fp80", "float other"),
        ("ptr", "ptr"),
        ("ptr addrspace(1)", "ptr"),
        ("[3 x i8]", "array"),
        ("{ i8, i8 }", "struct"),
        ("<2 x i8>", "vector"),
        ("<vscale x 2 x i8>", "vector"),
        ('target("spirv.Event")', "other"),
    ],
)
def test_labels_of_types(type_name: str, label: str) -> None:
    graph = graph_of(f"define void @f({type_name} %a) {{\nret void }}")
    assert labels_of(graph)[3] == f"type {label}"
    # The type of the elements belongs to what is made of them.
    elements = {"array": "4>3", "struct": "4>3 4>3.1", "vector": "4>3"}.get(label, "")
    assert edges_of(graph, TYPE) == edges_in(f"3>2 {elements}")


class TestVocabulary:
    def test_has_no_name_twice(self) -> None:
        assert len(set(GRAPH_VOCABULARY)) == len(GRAPH_VOCABULARY)

    def test_has_every_opcode(self) -> None:
        opcodes = {name.lower() for name in feature_names("instcount_native")[3:]}
        assert opcodes - {opcode_of(name) for name in GRAPH_VOCABULARY} == {"userop1", "userop2"}

    def test_version_tells_a_change(self) -> None:
        """A model is refused when this changes: train those that ship again."""
        assert GRAPH_VERSION == "graph-1-c2abe2055994"


class TestIdentity:
    @pytest.mark.parametrize("uri", PROGRAMS[::4])
    def test_text_bitcode_and_clone(self, uri: str) -> None:
        module = Module.read(load_program(uri).bitcode, uri)
        for _ in range(2):
            expected = compute_graph(module)
            assert same(expected, compute_graph(module.clone()))
            assert same(expected, graph_of(module.bitcode()))
            assert same(expected, graph_of(module.text().encode()))
            module.run("function(sroa,early-cse,simplifycfg,instcombine),inline")
        assert not same(expected, graph_of(load_program(uri).bitcode))

    def test_isolated_and_in_process(self) -> None:
        rng = random.Random(5)
        pipelines = make_action_set().pipelines
        for uri in rng.sample(PROGRAMS, 5):
            near, far = Session(uri, isolation=None), Session(uri)
            for pipeline in ["function(sroa)", *rng.choices(pipelines, k=5)]:
                assert near.step(pipeline) == far.step(pipeline)
                assert same(near.graph(), far.graph())
                assert same(near.graph(), near.clone().graph())

    def test_another_process(self) -> None:
        code = (
            "import hashlib, sys; from llmopt_bench import Session; "
            "parts = Session(sys.argv[1]).graph(); "
            "print(hashlib.sha256(b''.join(part.tobytes() for part in parts)).hexdigest())"
        )
        command = [sys.executable, "-c", code, PROGRAMS[0]]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == digest(Session(PROGRAMS[0]).graph())

    def test_leaves_the_module_alone(self) -> None:
        module = Module.read(load_program(PROGRAMS[0]).bitcode, "test")
        before = module.bitcode()
        assert same(compute_graph(module), compute_graph(module))
        assert module.bitcode() == before

    def test_is_deaf_to_names_and_debug_info(self) -> None:
        source = "int twice(int number) { int local = number; return local + number; }"
        renamed = source.replace("number", "other").replace("twice", "double_of")
        plain = graph_of(compile_source(source, "c"))
        assert same(plain, graph_of(compile_source(source, "c", cflags=["-g"])))
        assert same(plain, graph_of(compile_source(renamed, "c")))

    def test_outlives_its_module(self) -> None:
        module = Module.read(load_program(PROGRAMS[0]).bitcode, "test")
        graph = compute_graph(module)
        expected = digest(graph)
        del module
        others = [graph_of(load_program(uri).bitcode) for uri in PROGRAMS[:5]]
        assert digest(graph) == expected == digest(others[0])


class TestObservation:
    def test_is_the_graph(self) -> None:
        env = gym.make("llmopt_bench/PassOrder-v0", program=PROGRAMS[0], observation="graph")
        env.reset()
        observation, *_ = env.step(env.unwrapped.action_names.index("mem2reg"))
        graph = env.unwrapped.session.graph()
        assert np.array_equal(observation.nodes, graph.labels)
        assert np.array_equal(observation.edges[:, 0], graph.edge_kinds)
        assert np.array_equal(observation.edges[:, 1], graph.positions)
        assert np.array_equal(observation.edge_links, graph.edges.T)

    def test_of_vector_environments(self) -> None:
        envs = gym.make_vec(
            "llmopt_bench/PassOrder-v0", num_envs=2, program=PROGRAMS[0], observation="graph"
        )
        observations, _ = envs.reset()
        assert observations in envs.observation_space
        assert len(observations) == 2

    def test_space_knows_its_samples(self) -> None:
        space = Graphs()
        space.seed(0)
        assert all(space.sample() in space for _ in range(200))
        assert space.sample(num_nodes=3, num_edges=0) in space

    @pytest.mark.parametrize(
        ("nodes", "edges", "links"),
        [
            ([len(GRAPH_VOCABULARY), 0], [[0, 0]], [[0, 1]]),
            ([-1, 0], [[0, 0]], [[0, 1]]),
            ([1.5, 0], [[0, 0]], [[0, 1]]),
            ([[1, 0]], [[0, 0]], [[0, 0]]),
            ([1, 0], [[len(EDGE_KINDS), 0]], [[0, 1]]),
            ([1, 0], [[0, -1]], [[0, 1]]),
            ([1, 0], [[0, 0]], [[0, 2]]),
            ([1, 0], [[0, 0]], [[0, 1], [1, 0]]),
            ([1, 0], [0], [[0, 1]]),
            ([1, 0], [[0, 0]], None),
        ],
    )
    def test_space_refuses(self, nodes: object, edges: object, links: object) -> None:
        parts = [None if part is None else np.array(part) for part in (nodes, edges, links)]
        assert GraphInstance(*parts) not in Graphs()
        fine = GraphInstance(np.array([1, 0]), np.array([[0, 0]]), np.array([[0, 1]]))
        assert fine in Graphs()
        assert tuple(fine) not in Graphs()


def test_kinds_have_names() -> None:
    assert NODE_KINDS == ("instruction", "value", "constant", "type")
    assert EDGE_KINDS == ("control", "data", "call", "type")
