"""The paper's autotuner: its three phases and how they share the budget."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from searching import Recorder, few_actions

from llmopt_bench import PassList, load_agent
from llmopt_bench.errors import BadAgent

autotuner = importlib.import_module("llmopt_bench.agents.search.autotuner")
META = {*("O1", "O2", "O3", "Os", "Oz"), *(f"default<{o}>" for o in ("O1", "O2", "O3", "Os", "Oz"))}


def test_the_search_draws_lists_after_oz_with_every_pipeline_once_at_most() -> None:
    env = Recorder(1000)
    load_agent("autotuner", max_passes=45).run(env)
    drawn = env.lists[1:600]
    assert env.lists[0].names == ("Oz",)
    assert max(map(len, drawn)) > 35
    assert all(given.names.count(name) <= 1 for given in drawn for name in META)
    assert any(len(set(given.names)) < len(given) for given in drawn)
    assert {name for given in drawn for name in given} == set(env.action_names)
    assert any(len(META & set(given.names)) > 1 for given in drawn)


def test_lists_are_no_longer_than_max_passes() -> None:
    env = Recorder(300)
    load_agent("autotuner", max_passes=4).run(env)
    assert {len(given) for given in env.lists} == {1, 2, 3, 4}


def test_the_phases_share_the_budget() -> None:
    env = Recorder(200)
    load_agent("autotuner", minimise_share=0.0).run(env)
    assert env.meter.compilations == 140
    env = Recorder(200)
    load_agent("autotuner", minimise_share=0, broadcast_share=0).run(env)
    assert env.meter.compilations == 200
    env = Recorder(200)
    load_agent("autotuner", minimise_share=0, broadcast_most=10).run(env)
    assert env.meter.compilations == 190
    env = Recorder(200)
    load_agent("autotuner", max_passes=45).run(env)
    assert 120 < env.meter.compilations <= 140


def test_the_answer_is_the_best_and_no_pass_of_it_can_be_dropped() -> None:
    env = Recorder(1000)
    answer = load_agent("autotuner", max_passes=20).run(env)
    value = env.value_of(answer)
    assert value == min(value for _, value in env.seen)
    found = min((value, len(given)) for given, value in env.seen[:600])
    assert found[0] == value
    assert found[1] > len(answer)
    for place in range(len(answer)):
        shorter = PassList([*answer[:place], *answer[place + 1 :]])
        assert env.value_of(shorter) > value


def test_a_failing_list_ends_nothing() -> None:
    env = Recorder(40, actions=few_actions("Oz", "mem2reg", "sink", failing=True))
    answer = load_agent("autotuner").run(env)
    assert env.compiler_failures > 0
    assert env.value_of(answer) <= env.oz


def test_the_broadcast_takes_a_better_list() -> None:
    env = Recorder(10)
    better = PassList(["load-store-vectorizer", "O1"])
    own, worse = PassList(["Oz"]), PassList(["mem2reg"])
    assert load_broadcast()(env, own, [worse, own, better]) == better
    assert env.lists == [own, worse, better]
    assert env.value_of(better) < env.value_of(own)


def test_the_own_list_wins_ties_and_failures_never_win() -> None:
    actions = few_actions("Oz", "O1", "globaldce", failing=True)
    env = Recorder(10, actions=actions)
    own = PassList(["Oz", "globaldce"], actions)
    others = [PassList(names, actions) for names in (["trigger-crash-module"], ["Oz"])]
    assert load_broadcast()(env, own, others) == own
    assert env.compiler_failures == 1


@pytest.mark.parametrize(("budget", "tried"), [(0, 0), (1, 1), (2, 2)])
def test_the_broadcast_tries_what_the_budget_holds(budget: int, tried: int) -> None:
    env = Recorder(budget)
    own = PassList(["mem2reg"])
    answer = load_broadcast()(env, own, [PassList(["Oz"]), PassList(["O1"])])
    assert env.meter.compilations == tried == len(env.lists)
    assert answer.names == (("Oz",) if tried == 2 else ("mem2reg",))


def test_without_a_budget_it_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a budget"):
        load_agent("autotuner").run(Recorder(None))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_passes": 0}, "max_passes must be 1 or more"),
        ({"broadcast_share": -0.1}, "broadcast_share must be from 0 to 1"),
        ({"broadcast_share": 0.6, "minimise_share": 0.6}, "together must be 1 at most"),
        ({"broadcast_most": -1}, "broadcast_most must be 0 or more"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadAgent, match=message):
        load_agent("autotuner", **settings)


def load_broadcast() -> Any:
    return autotuner.Autotuner().broadcast
