"""The genetic algorithm: its operators, its generations, its settings."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from searching import Recorder, few_actions

from llmopt_bench import PassList, load_agent
from llmopt_bench.errors import BadAgent

genetic = importlib.import_module("llmopt_bench.agents.search.genetic")
trials = importlib.import_module("llmopt_bench.agents.search.trials")
NAMES = ("a", "b", "c", "d", "e")


def test_an_edit_inserts_deletes_replaces_or_swaps() -> None:
    rng = np.random.default_rng(1)
    found = {genetic.edited(NAMES, ("x",), rng) for _ in range(500)}
    inserted = {(*NAMES[:i], "x", *NAMES[i:]) for i in range(6)}
    deleted = {NAMES[:i] + NAMES[i + 1 :] for i in range(5)}
    replaced = {(*NAMES[:i], "x", *NAMES[i + 1 :]) for i in range(5)}
    swapped = {names for names in found if sorted(names) == sorted(NAMES)}
    assert found == inserted | deleted | replaced | swapped
    assert len(swapped) == 1 + 5 * 4 // 2  # every pair, and a place with itself


def test_an_edit_of_nothing_inserts() -> None:
    assert genetic.edited((), ("x",), np.random.default_rng(1)) == ("x",)


def test_children_are_pieces_of_both_parents() -> None:
    rng = np.random.default_rng(1)
    one, other = ("a", "b", "c"), ("x", "y", "z")
    found = {genetic.crossed(one, other, rng) for _ in range(2000)}
    one_point = {one[:i] + other[j:] for i in range(4) for j in range(4)}
    spans = [(i, j) for i in range(4) for j in range(i, 4)]
    two_point = {one[:i] + other[k:m] + one[j:] for i, j in spans for k, m in spans}
    assert found == one_point | two_point


def test_the_first_generation_is_oz_and_lists_around_it() -> None:
    env = Recorder(30)
    load_agent("genetic", population=30, first_edits=3).run(env)
    assert env.lists[0].names == ("Oz",)
    assert all("Oz" in given.names for given in env.lists)
    assert {len(given) for given in env.lists[1:]} == {2, 3, 4}
    assert {given.names[0] == "Oz" for given in env.lists[1:]} == {True, False}


def test_it_spends_the_budget_on_new_lists_and_answers_with_the_best() -> None:
    env = Recorder(300)
    answer = load_agent("genetic").run(env)
    assert env.meter.compilations == 300 == len(set(env.lists))
    assert (env.value_of(answer), len(answer)) == env.best_seen()


def test_later_generations_are_fitter_than_the_first() -> None:
    env = Recorder(400)
    load_agent("genetic", population=20).run(env)
    values = [value for _, value in env.seen]
    assert np.median(values[-100:]) < np.median(values[:20])


def test_parents_are_those_that_win_tournaments() -> None:
    ranked = list(range(100))
    agent, rng = genetic.GeneticSearch(tournament=5), np.random.default_rng(1)
    won = [agent._parent(ranked, rng) for _ in range(1000)]
    assert 13 < np.mean(won) < 19  # 99 / 6 is the mean of the least of five


def test_the_elite_goes_on_unchanged() -> None:
    env = Recorder(10)
    ranked = [PassList([name]) for name in env.action_names[:6]]
    agent = genetic.GeneticSearch(population=6, elite=2)
    following = agent._next(env, trials.Trials(env), ranked)
    assert (len(following), following[:2]) == (6, ranked[:2])
    assert following[2:] != ranked[2:]


def test_no_list_is_longer_than_max_passes() -> None:
    env = Recorder(150)
    load_agent("genetic", max_passes=4, population=20).run(env)
    assert max(map(len, env.lists)) == 4


def test_failing_lists_end_nothing_and_a_small_space_is_an_end() -> None:
    env = Recorder(2000, actions=few_actions("Oz", failing=True))
    answer = load_agent("genetic", max_passes=2, population=4).run(env)
    assert answer.names == ("Oz",)
    assert env.compiler_failures > 0
    assert env.meter.compilations <= 6


def test_patience_ends_the_search() -> None:
    env = Recorder(None)
    load_agent("genetic", patience=60).run(env)
    values = [value for _, value in env.seen]
    assert values[-61] == min(values) < min(values[:-61], default=env.initial)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "population must be 2 or more"),
        ({"elite": 40}, "elite must be less than population"),
        ({"crossover": 2}, "crossover must be from 0 to 1"),
        ({"first_edits": 0}, "first_edits must be 1 or more"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadAgent, match=message):
        load_agent("genetic", **settings)
