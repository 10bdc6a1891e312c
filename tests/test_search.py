"""Random and greedy search: what they try, what they spend, what they answer."""

from __future__ import annotations

import pytest
from searching import Recorder

from llmopt_bench import PassList, load_agent


def test_random_spends_the_budget_and_answers_with_the_best() -> None:
    env = Recorder(60)
    answer = load_agent("random").run(env)
    assert env.meter.compilations == 60
    value, length = min((value, len(given)) for given, value in env.seen)
    assert (env.session.evaluate([answer])[0], len(answer)) == (value, length)


def test_random_tries_oz_first_and_then_every_second_list_after_it() -> None:
    env = Recorder(101)
    load_agent("random", max_passes=5).run(env)
    assert env.lists[0].names == ("Oz",)
    assert {given[0] for given in env.lists[1::2]} == {"Oz"}
    assert {len(given) for given in env.lists[1::2]} == set(range(2, 7))
    assert {len(given) for given in env.lists[2::2]} == set(range(1, 6))


def test_random_without_oz_draws_uniformly() -> None:
    env = Recorder(200)
    load_agent("random", after_oz=False).run(env)
    drawn = [name for given in env.lists for name in given]
    assert set(drawn) == set(env.action_names)
    share = drawn.count("Oz") / len(drawn)
    assert share < 3 / len(env.action_names)


def test_random_patience_ends_the_search() -> None:
    env = Recorder(None)
    load_agent("random", patience=10).run(env)
    values = [value for _, value in env.seen]
    # The last better list, and then ten that were not.
    assert values[-11] == min(values) < min([env.initial, *values[:-11]])


def test_random_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a budget or a patience"):
        load_agent("random").run(Recorder(None))


def test_greedy_tries_every_action_after_and_before() -> None:
    env = Recorder(None)
    answer = load_agent("greedy").run(env)
    count = len(env.action_names)
    assert [given.names for given in env.lists[:count]] == [("Oz", n) for n in env.action_names]
    last = env.lists[-2 * count :]
    assert [given.names for given in last[:count]] == [(*answer, n) for n in env.action_names]
    assert [given.names for given in last[count:]] == [(n, *answer) for n in env.action_names]


def test_greedy_answer_is_the_best_it_saw() -> None:
    env = Recorder(600)
    answer = load_agent("greedy").run(env)
    best = min(env.initial, *(value for _, value in env.seen))
    assert env.session.evaluate([answer]) == [best]
    assert best < env.oz
    assert env.meter.compilations <= 600


def test_greedy_answers_with_nothing_where_nothing_helps() -> None:
    env = Recorder(0, "bundled-functions-v1/crc_family/main")
    assert load_agent("greedy").run(env) == PassList([])
    assert env.meter.compilations == 0


def test_greedy_follows_its_list_with_the_environment() -> None:
    env = Recorder(None)
    answer = load_agent("greedy").run(env)
    assert env.pass_list == answer
    assert env.value == env.session.evaluate([answer])[0]


def test_greedy_cuts_a_round_and_keeps_the_compilation_to_go_there() -> None:
    env = Recorder(10)
    answer = load_agent("greedy").run(env)
    tried = len(env.seen)
    assert tried == 8
    assert env.meter.compilations == tried + len(answer)
