"""Trials: what they spend, what they remember, when they are over."""

from __future__ import annotations

import importlib

import pytest
from searching import Recorder, few_actions

from llmopt_bench import PassList

trials = importlib.import_module("llmopt_bench.agents.search.trials")


def lists(*texts: str) -> list[PassList]:
    return [PassList(text.split()) for text in texts]


def test_a_known_list_costs_nothing() -> None:
    env = Recorder(10)
    tried = trials.Trials(env)
    first = tried.values(lists("mem2reg", "Oz", "mem2reg"))
    assert first[0] == first[2] > first[1]
    assert tried.values(lists("Oz", "mem2reg")) == [first[1], first[0]]
    assert env.meter.compilations == 2
    assert tried.knows(*lists("Oz"))
    assert not tried.knows(*lists("O1"))


def test_the_empty_list_is_known_from_the_start() -> None:
    env = Recorder(0)
    tried = trials.Trials(env)
    assert (tried.values([PassList()]), tried.best) == ([env.initial], PassList())


def test_values_end_where_the_budget_does() -> None:
    env = Recorder(3)
    tried = trials.Trials(env)
    tried.values(lists("Oz"))
    assert len(tried.values(lists("Oz", "sink", "O1", "sink", "O2", "Oz"))) == 4
    assert tried.over
    assert env.meter.exhausted
    assert tried.values(lists("O2")) == []


def test_ties_go_to_the_shorter_list_then_to_the_earlier() -> None:
    tried = trials.Trials(Recorder(10))
    tried.values(lists("Oz globaldce constmerge", "Oz globaldce", "Oz constmerge"))
    assert tried.best.names == ("Oz", "globaldce")
    assert tried.value == tried.values(lists("Oz globaldce"))[0]


def test_patience_counts_new_lists_without_a_better_one() -> None:
    env = Recorder(None)
    tried = trials.Trials(env, patience=2)
    tried.values(lists("sink"))
    assert (tried.room, tried.over) == (1, False)
    tried.values(lists("Oz"))
    assert tried.room == 2
    tried.values(lists("Oz", "Oz"))
    assert tried.room == 2
    assert len(tried.values(lists("sink sink", "sink licm", "licm"))) == 2
    assert tried.over


def test_a_phase_spends_what_it_is_allowed() -> None:
    env = Recorder(10)
    tried = trials.Trials(env)
    tried.allow(2)
    assert len(tried.values(lists("O1", "O2", "O3"))) == 2
    assert tried.over
    tried.allow(100)
    assert tried.room == 8


def test_going_round_in_circles_is_an_end() -> None:
    tried = trials.Trials(Recorder(None), patience=10**9)
    for _ in range(1000):
        assert not tried.over or tried.room > 0
        tried.values(lists("Oz"))
    assert tried.over
    tried.values(lists("O1"))
    assert not tried.over


def test_a_failing_list_is_the_worst_and_ends_nothing() -> None:
    actions = few_actions("Oz", "reg2mem", failing=True)
    tried = trials.Trials(Recorder(None, actions=actions), patience=10)
    fails, works = (PassList([name], actions) for name in ("trigger-crash-module", "reg2mem"))
    values = tried.values([fails, works])
    assert values[0] == trials.FAILED > values[1]
    assert tried.best == PassList([], actions)


def test_a_search_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a budget or a patience"):
        trials.Trials(Recorder(None))


def test_settings_out_of_range_are_refused() -> None:
    trials.check_at_least(1, width=1, patience=None)
    trials.check_share(epsilon=0, other=1)
    with pytest.raises(ValueError, match="width must be 1 or more, got 0"):
        trials.check_at_least(1, width=0)
    with pytest.raises(ValueError, match="epsilon must be from 0 to 1, got nan"):
        trials.check_share(epsilon=float("nan"))
