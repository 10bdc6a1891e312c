"""Lists of one function share what they have in common, and come out as from scratch."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmopt_bench import Meter, PassList, PassOrderEnv, Session, _core, load_program
from llmopt_bench.action_set import make_action_set
from llmopt_bench.datasets import make_dataset
from llmopt_bench.errors import CompilerCrashed, CompilerError, UnknownPass
from llmopt_bench.isolation import Host, Isolation
from llmopt_bench.module_state import ModuleState

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from shared_work import differences

ACTIONS = make_action_set()
FUNCTIONS = (
    "bundled-functions-v1/aes128_modes/from_hex",
    "bundled-functions-v1/crc_family/crc_compute",
)


def read(uri: str) -> _core.Module:
    return _core.Module.read(load_program(uri).bitcode, uri)


def some_functions() -> list[str]:
    uris = list(make_dataset("bundled-functions-v1").uris())
    return [str(uri) for uri in uris[:: max(len(uris) // 12, 1)]][:12]


def lists_like_a_search(count: int, seed: int) -> list[list[str]]:
    """Return random lists, and mutants of them: what shares prefixes and meets in equal code."""
    rng = random.Random(seed)
    lists: list[list[str]] = []
    while len(lists) < count:
        names = [rng.choice(ACTIONS.names) for _ in range(rng.randint(1, 8))]
        if rng.random() < 0.4:
            names.insert(rng.randint(0, len(names)), "Oz")
        lists.append(names)
        for _ in range(3):
            mutant = list(names)
            mutant[rng.randrange(len(mutant))] = rng.choice(ACTIONS.names)
            lists.append(mutant)
            lists.append(mutant[: rng.randint(1, len(mutant))])
    return lists[:count]


def pipelines(names: list[str]) -> list[str]:
    return [ACTIONS.pipeline_of(name) for name in names]


@pytest.mark.parametrize("uri", some_functions())
def test_results_are_those_of_runs_from_scratch(uri: str) -> None:
    module = read(uri)
    for names in lists_like_a_search(120, seed=len(uri)):
        alone = module.evaluate(",".join(pipelines(names)))
        assert module.evaluate_list(pipelines(names)) == alone, names


@pytest.fixture
def little_memory() -> Iterator[None]:
    _core.limit_shared_states(instructions=1500, states=60)
    yield
    _core.limit_shared_states()


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("uri", FUNCTIONS)
def test_results_are_the_same_where_memory_is_short(uri: str) -> None:
    module = read(uri)
    for names in lists_like_a_search(150, seed=4):
        assert module.evaluate_list(pipelines(names)) == module.evaluate(",".join(pipelines(names)))


def test_bytes_of_machine_code_are_those_of_runs_from_scratch() -> None:
    module = read(FUNCTIONS[0])
    for names in lists_like_a_search(25, seed=2):
        text = ",".join(pipelines(names))
        assert module.evaluate_list(pipelines(names), True) == module.evaluate(text, True)
        assert module.evaluate_list(pipelines(names)) == module.evaluate(text)


def test_the_module_itself_stays_as_it_is() -> None:
    module = read(FUNCTIONS[0])
    before, text = module.bitcode(), module.text()
    for names in lists_like_a_search(40, seed=3):
        module.evaluate_list(pipelines(names))
    assert module.bitcode() == before
    assert module.text() == text


def test_names_of_values_stay_on_after_sharing() -> None:
    module = read(FUNCTIONS[0])
    module.evaluate_list(pipelines(["Oz"]))
    fresh = read(FUNCTIONS[0])
    for one in (module, fresh):
        one.run("function(reg2mem)")
    assert module.text() == fresh.text()


def test_a_module_that_has_changed_shares_nothing_with_before() -> None:
    module = read(FUNCTIONS[0])
    first = module.evaluate_list(pipelines(["simplifycfg"]))
    module.run("default<Oz>")
    after = module.evaluate_list(pipelines(["simplifycfg"]))
    assert after == module.evaluate("function(simplifycfg)")
    assert after != first


def test_a_pipeline_that_nobody_knows_is_refused_and_forgotten() -> None:
    module = read(FUNCTIONS[0])
    for _ in range(2):
        with pytest.raises(UnknownPass):
            module.evaluate_list(["function(sroa)", "no-such-pass"])
    assert module.evaluate_list(["function(sroa)"]) == module.evaluate("function(sroa)")


def test_a_crash_in_a_list_costs_that_list_alone() -> None:
    program = load_program(FUNCTIONS[0])
    state = ModuleState(Host(Isolation(deadline=20)), program)
    good = state.evaluate(["function(sroa)"], False, here=False)
    for _ in range(2):
        with pytest.raises(CompilerCrashed):
            state.evaluate(["function(sroa)", "trigger-crash-module"], False, here=False)
    assert state.evaluate(["function(sroa)"], False, here=False) == good


def test_an_error_of_the_compiler_is_the_same_when_asked_again() -> None:
    # Code generation for another target is not built in.
    ir = b'target triple = "aarch64-linux-gnu"\ndefine i32 @f() { ret i32 0 }'
    module = _core.Module.read(ir, "arm")
    assert module.evaluate_list(["function(sroa)"]) == 1
    for _ in range(2):
        with pytest.raises(CompilerError, match="aarch64"):
            module.evaluate_list(["function(sroa)"], True)


@pytest.mark.parametrize("isolation", [Isolation(), None])
def test_here_goes_on_from_the_steps_taken(isolation: Isolation | None) -> None:
    session = Session(FUNCTIONS[1], isolation=isolation)
    session.apply("sroa<modify-cfg>")
    session.apply("Oz")
    ends = [PassList([name]) for name in ACTIONS.names[:40]]
    whole = [PassList(["sroa<modify-cfg>", "Oz", *end]) for end in ends]
    other = Session(FUNCTIONS[1], isolation=isolation)
    expected = [other.state.host.read(other.program.bitcode, "x").evaluate(w.text) for w in whole]
    assert session.evaluate(ends, here=True) == expected
    assert session.evaluate(whole) == expected


def test_every_list_that_is_asked_for_is_charged() -> None:
    env = PassOrderEnv(FUNCTIONS[0], meter=Meter(10))
    env.reset(seed=0)
    values = env.evaluate([PassList(["Oz", "Oz"])] * 3)
    assert len(set(values)) == 1
    assert (env.meter.compilations, env.meter.passes) == (3, 6)


def test_larger_programs_are_compiled_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise AssertionError("a program with several functions must not share work")

    monkeypatch.setattr(_core.Module, "evaluate_list", refuse)
    session = Session("bundled-v1/crc_family", isolation=None)
    assert session.evaluate([PassList(["Oz"])])[0] < session.initial()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_many_lists_of_every_third_function() -> None:
    rng = random.Random(3)
    uris = [str(uri) for uri in make_dataset("bundled-functions-v1").uris()][::3]
    found = [difference for uri in uris for difference in differences(uri, rng)]
    assert len(found) > 20_000
    assert [difference for difference in found if difference is not None] == []
