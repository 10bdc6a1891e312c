"""Beam search: its levels, what it takes for the same state, what it spends."""

from __future__ import annotations

from typing import Any

import pytest
from searching import PROGRAM, few_actions

from llmopt_bench import ActionSet, Meter, PassList, PassOrderEnv, Session, load_agent
from llmopt_bench.errors import BadAgent


class Steps(PassOrderEnv):
    """Remembers the steps of all its forks, as lists with their values."""

    def __init__(self, budget: int | None, actions: ActionSet | None = None, **options: Any):
        super().__init__(PROGRAM, meter=Meter(budget), action_set=actions or "passes-v1", **options)
        self.seen: list[tuple[PassList, int]] = []
        self.reset(seed=1)

    def step(self, action: int) -> Any:
        tried = PassList([*self.pass_list, self.action_names[action]], self.action_set)
        result = super().step(action)
        self.seen.append((tried, self.value))
        return result

    @property
    def lists(self) -> list[tuple[str, ...]]:
        return [given.names for given, _ in self.seen]


def test_it_begins_with_nothing_and_oz() -> None:
    env = Steps(400)
    load_agent("beam", branching=None).run(env)
    count = len(env.action_names)
    assert env.lists[0] == ("Oz",)
    assert env.lists[1 : count + 1] == [(name,) for name in env.action_names]
    assert env.lists[count + 1 : 2 * count + 1] == [("Oz", name) for name in env.action_names]


def test_every_step_is_one_compilation_and_the_answer_is_the_best_seen() -> None:
    env = Steps(500)
    answer = load_agent("beam", branching=None).run(env)
    assert env.meter.compilations == len(env.seen) == 500
    assert Session(PROGRAM).evaluate([answer]) == [min(value for _, value in env.seen)]


def code_of(names: tuple[str, ...], actions: ActionSet) -> str:
    session = Session(PROGRAM)
    session.apply(PassList(names, actions))
    return session.content_hash()


def test_the_smallest_states_that_differ_go_on() -> None:
    names = ("reg2mem", "Oz", "mem2reg", "sroa<modify-cfg>", "simplifycfg", "O1", "globaldce")
    actions = few_actions(*names)
    env = Steps(None, actions)
    load_agent("beam", width=3, max_passes=3).run(env)
    level = 1 + 2 * len(actions)  # -Oz, and all actions after nothing and after -Oz
    different = {code_of((), actions): (), code_of(("Oz",), actions): ("Oz",)}
    for tried, _ in sorted(env.seen[1:level], key=lambda entry: entry[1]):
        different.setdefault(code_of(tried.names, actions), tried.names)
    expected = list(different.values())[2:5]
    going_on = [tried[:-1] for tried in env.lists[level :: len(actions)]]
    assert going_on[:3] == expected
    assert going_on[3][:-1] in expected  # the next level already


def test_it_ends_by_itself_when_nothing_is_new() -> None:
    env = Steps(None, few_actions("Oz", "mem2reg", "globaldce"))
    assert load_agent("beam").run(env).names == ("Oz",)
    assert env.meter.compilations < 30


@pytest.mark.parametrize("limits", [({"max_passes": 2}, {}), ({}, {"max_passes": 2})])
def test_no_list_is_longer_than_a_limit(limits: tuple[dict[str, int], dict[str, int]]) -> None:
    settings, options = limits
    env = Steps(None, few_actions("Oz", "O1", "mem2reg", "reg2mem"), **options)
    load_agent("beam", **settings).run(env)
    assert max(len(names) for names in env.lists) == 2


def test_branching_draws_actions_for_each_state() -> None:
    env = Steps(50)
    load_agent("beam", branching=5).run(env)
    from_nothing = [names[0] for names in env.lists[1:] if len(names) == 1]
    after_oz = [names[1] for names in env.lists if len(names) == 2 and names[0] == "Oz"]
    assert len(from_nothing) == 5 == len(set(from_nothing))
    assert from_nothing != after_oz[:5]


def test_a_failing_action_ends_nothing() -> None:
    env = Steps(30, few_actions("Oz", "mem2reg", "reg2mem", failing=True))
    load_agent("beam").run(env)
    assert env.meter.compilations > 8
    assert env.compiler_failures > 1


def test_settings_are_checked() -> None:
    with pytest.raises(BadAgent, match="width must be 1 or more, got 0"):
        load_agent("beam", width=0)
