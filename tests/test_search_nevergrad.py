"""Nevergrad's optimizers: how lists are encoded, and what an optimizer is told."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from searching import Recorder, few_actions

from llmopt_bench import load_agent
from llmopt_bench.errors import BadAgent

NAMES = tuple("abcde")


@pytest.fixture
def search() -> object:
    pytest.importorskip("nevergrad")
    return importlib.import_module("llmopt_bench.agents.search.nevergrad")


def test_what_was_encoded_is_decoded(search: object) -> None:
    for name in NAMES:
        assert search.decode([search.encode(name, NAMES)], NAMES) == [name]  # type: ignore[attr-defined]


def test_half_of_the_slots_are_empty_and_actions_are_equally_likely(search: object) -> None:
    drawn = np.random.default_rng(1).normal(size=20_000).tolist()
    found = search.decode(drawn, NAMES)  # type: ignore[attr-defined]
    assert len(found) == pytest.approx(10_000, rel=0.05)
    for name in NAMES:
        assert found.count(name) == pytest.approx(2000, rel=0.1)


def test_slots_far_out_and_in_the_middle(search: object) -> None:
    assert search.decode([-99, 0, 99], NAMES) == ["a", "e"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "optimizer", ["DiscreteLenglerOnePlusOne", "PortfolioDiscreteOnePlusOne", "DE", "cGA"]
)
def test_an_optimizer_spends_the_budget_from_oz_on(search: object, optimizer: str) -> None:
    env = Recorder(80)
    answer = load_agent("nevergrad", optimizer=optimizer, max_passes=8).run(env)
    assert env.lists[0].names == ("Oz",)
    assert env.meter.compilations == 80 == len(set(env.lists))
    assert max(map(len, env.lists)) <= 8
    assert (env.value_of(answer), len(answer)) == env.best_seen()


def test_an_optimizer_is_told_the_values(search: object, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    made = search.NevergradSearch._optimizer  # type: ignore[attr-defined]

    def watched(*arguments: object) -> object:
        optimizer = made(*arguments)
        optimizer.register_callback("tell", lambda _, candidate, loss: told.append(loss))
        return optimizer

    monkeypatch.setattr(search.NevergradSearch, "_optimizer", watched)  # type: ignore[attr-defined]
    env = Recorder(30)
    load_agent("nevergrad").run(env)
    new = dict.fromkeys(told)
    assert set(new) == {float(value) for _, value in env.seen}


def test_same_seed_same_lists(search: object) -> None:
    first, second = Recorder(60), Recorder(60)
    agent = load_agent("nevergrad")
    agent.run(first)
    np.random.seed(3)  # noqa: NPY002  (a search must not look at it)
    agent.run(second)
    assert first.lists == second.lists


def test_failing_lists_end_nothing_and_a_small_space_is_an_end(search: object) -> None:
    env = Recorder(2000, actions=few_actions("Oz", failing=True))
    answer = load_agent("nevergrad", max_passes=2).run(env)
    assert answer.names == ("Oz",)
    assert 0 < env.compiler_failures
    assert env.meter.compilations <= 6


def test_an_unknown_optimizer_is_refused(search: object) -> None:
    with pytest.raises(BadAgent, match=r"nevergrad\.optimizers\.registry, got 'nope'"):
        load_agent("nevergrad", optimizer="nope")


def test_without_nevergrad_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llmopt_bench.agents.search.nevergrad", raising=False)
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    with pytest.raises(BadAgent, match=r"pip install 'llmopt-bench\[search\]'"):
        load_agent("nevergrad")
