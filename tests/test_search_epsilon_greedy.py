"""Epsilon-greedy search: its steps, its random steps, its restarts."""

from __future__ import annotations

import pytest
from searching import Recorder, few_actions

from llmopt_bench import PassList, load_agent
from llmopt_bench.errors import BadAgent


def test_without_epsilon_it_is_greedy_and_ends_by_itself() -> None:
    env = Recorder(10_000)
    answer = load_agent("epsilon-greedy", epsilon=0).run(env)
    count = len(env.action_names)
    assert env.lists[0].names == ("Oz",)
    # All actions from nothing; -Oz is known.
    first = dict(env.seen[:count])
    assert {given.names for given in first} == {(name,) for name in env.action_names}
    smallest = min(first.values())
    step = next(n for n in env.action_names if first[PassList([n])] == smallest)
    second = env.seen[count : 2 * count]
    assert [given.names for given, _ in second] == [(step, name) for name in env.action_names]
    # The last step tried every action and none helped.
    last = env.seen[-count:]
    assert {given.names[:-1] for given, _ in last} == {answer.names}
    assert min(value for _, value in last) >= env.value_of(answer)
    assert env.meter.compilations == (len(answer) + 1) * count < 10_000


def test_random_steps_lead_elsewhere_and_the_budget_is_spent() -> None:
    env = Recorder(700)
    answer = load_agent("epsilon-greedy", epsilon=0.3).run(env)
    assert env.meter.compilations == 700 == len(set(env.lists))
    assert (env.value_of(answer), len(answer)) == env.best_seen()
    greedy = Recorder(700)
    load_agent("epsilon-greedy", epsilon=0).run(greedy)
    assert {given.names[:-1] for given in env.lists} > {given.names[:-1] for given in greedy.lists}


def test_a_list_ends_at_max_passes() -> None:
    env = Recorder(200)
    load_agent("epsilon-greedy", epsilon=1, max_passes=3).run(env)
    assert {len(given) for given in env.lists} == {1, 2, 3}


def test_a_failing_action_ends_the_list_only() -> None:
    actions = few_actions("Oz", "reg2mem", "sink", failing=True)
    env = Recorder(12, actions=actions)
    answer = load_agent("epsilon-greedy", epsilon=0.9, max_passes=4).run(env)
    assert env.meter.compilations == 12
    assert env.compiler_failures > 0
    assert not any("trigger-crash-module" in given.names[:-1] for given in env.lists)
    assert env.value_of(answer) <= env.oz


def test_patience_ends_the_search() -> None:
    env = Recorder(None)
    load_agent("epsilon-greedy", patience=400).run(env)
    values = [value for _, value in env.seen]
    assert values[-401] == min(values) < min(values[:-401], default=env.initial)


def test_settings_are_checked() -> None:
    with pytest.raises(BadAgent, match="epsilon must be from 0 to 1"):
        load_agent("epsilon-greedy", epsilon=1.5)
