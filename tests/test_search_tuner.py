"""The tuner: coreset, local search, minimisation, within the budget."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from llmopt_bench.agents.search.coreset import FILE, Coreset, load_coreset
from llmopt_bench.agents.search.mutation import Mutation
from llmopt_bench.agents.search.niche import Niche, is_pipeline
from searching import Recorder, few_actions

from llmopt_bench import PassList, load_agent, make_action_set

ACTIONS = make_action_set()


def test_the_coreset_begins_with_oz_and_repeats_nothing() -> None:
    coreset = load_coreset(ACTIONS)
    assert coreset.lists[0].names == ("Oz",)
    assert len(set(coreset.lists)) == len(coreset.lists) >= 32
    assert set(coreset.weights) <= set(ACTIONS.names)


def test_the_coreset_says_what_it_learnt_from() -> None:
    content = json.loads((files("llmopt_bench.agents.search") / FILE).read_text("utf-8"))
    assert content["trained_on"] == ["corpus-train-v1"]
    assert load_agent("tuner").info.trained_on == ("corpus-train-v1",)


@pytest.mark.parametrize("budget", [0, 1, 2, 7, 50, 200])
def test_the_budget_holds_to_the_last_compilation(budget: int) -> None:
    env = Recorder(budget)
    load_agent("tuner").run(env)
    assert env.meter.compilations <= budget
    # The minimisation stops when no pass can go; it may leave that much.
    assert env.meter.compilations >= budget - budget * 0.05


def test_the_answer_is_the_best_that_was_seen() -> None:
    env = Recorder(200)
    answer = load_agent("tuner").run(env)
    assert (env.value_of(answer), len(answer)) == min(env.best_seen(), (env.initial, 0))
    assert env.value_of(answer) < env.oz


def test_the_coreset_comes_first_and_keeps_to_its_share() -> None:
    env = Recorder(60)
    load_agent("tuner", coreset_share=0.4, minimise_share=0.0).run(env)
    coreset = load_coreset(ACTIONS).lists
    assert env.lists[:24] == list(coreset[:24])
    assert not set(env.lists[24:]) & set(coreset[:24])
    assert env.lists[24] != coreset[24]


def test_no_list_is_paid_twice_and_none_is_too_long() -> None:
    env = Recorder(300)
    load_agent("tuner", max_passes=12).run(env)
    assert max(Counter(env.lists).values()) == 1
    assert max(map(len, env.lists)) <= 12


def test_no_pass_of_the_answer_can_go_after_a_full_minimisation() -> None:
    env = Recorder(300)
    answer = load_agent("tuner", minimise_share=0.3).run(env)
    value = env.value_of(answer)
    for place in range(len(answer)):
        shorter = PassList([*answer[:place], *answer[place + 1 :]])
        assert env.value_of(shorter) > value


def test_runs_repeat_and_seeds_differ() -> None:
    def lists(seed: int) -> list[PassList]:
        env = Recorder(150)
        env.reset(seed=seed)
        load_agent("tuner").run(env)
        return env.lists

    assert lists(1) == lists(1)
    assert lists(1) != lists(2)


def test_patience_ends_a_search_without_a_budget() -> None:
    env = Recorder(None)
    answer = load_agent("tuner", patience=100).run(env)
    assert env.value_of(answer) < env.oz


@pytest.mark.parametrize(
    "setting",
    [
        {"lineages": 0},
        {"stall": 0},
        {"coreset_share": 1.5},
        {"simple_share": 2.0},
        {"minimise_share": -0.1},
    ],
)
def test_bad_settings_are_refused(setting: dict[str, float]) -> None:
    from llmopt_bench.errors import BadAgent

    with pytest.raises(BadAgent, match=next(iter(setting))):
        load_agent("tuner", **setting)


PIPELINES = {action.name for action in ACTIONS.actions if is_pipeline(action)}


def searched(**settings: float) -> list[PassList]:
    """Return the lists of the local search alone."""
    env = Recorder(120)
    load_agent("tuner", coreset_share=0.1, minimise_share=0.0, **settings).run(env)
    return env.lists[12:]


def test_pipelines_are_those_that_run_tens_of_passes() -> None:
    assert {"Oz", "O1", "default<O2>", "function-simplification<O1>"} <= PIPELINES
    assert PIPELINES.isdisjoint({"gvn", "sroa<modify-cfg>", "instcombine<no-verify-fixpoint>"})
    assert len(PIPELINES) == 14


def test_the_simple_share_goes_to_lists_without_pipelines() -> None:
    assert all(PIPELINES.isdisjoint(one) for one in searched(simple_share=1.0))
    without = [sum(map(PIPELINES.isdisjoint, searched(simple_share=s))) for s in (0.0, 0.5)]
    assert without[0] < without[1]


def test_a_simple_search_begins_with_the_empty_list_if_there_is_no_other() -> None:
    env = Recorder(30, actions=few_actions("Oz", "gvn", "sroa<modify-cfg>"))
    answer = load_agent("tuner", simple_share=1.0, minimise_share=0.0).run(env)
    assert all(PIPELINES.isdisjoint(one) for one in env.lists[1:])
    assert env.value_of(answer) <= env.value_of(PassList(["Oz"], env.action_set))


def test_a_coreset_without_actions_has_no_list_with_them() -> None:
    lists = PassList(["Oz", "gvn"]), PassList(["gvn"]), PassList(["dce"])
    rest = Coreset(lists, {"gvn": 3.0, "dce": 1.0, "Oz": 2.0}).without({"Oz", "dce"})
    assert rest == Coreset((PassList(["gvn"]),), {"gvn": 3.0})
    maker = Mutation(rest.without({"gvn"}), ["gvn"], 5, np.random.default_rng(0))
    assert {edit for _ in range(100) for edit in maker.mutate(PassList(["gvn"]))[1]} == {
        "insert",
        "append",
        "prepend",
        "delete",
        "replace",
        "swap",
    }


def test_a_lineage_that_stands_still_starts_again() -> None:
    class Same(Mutation):
        def mutate(self, passes: PassList) -> tuple[PassList, list[str]]:
            return passes, []

    coreset, rng = Coreset((), {}), np.random.default_rng(0)
    starts = [(size, PassList(["gvn"] * size)) for size in range(1, 9)]
    niche = Niche(Same(coreset, ["gvn"], 9, rng), starts, 3, 2, rng)
    best, *others = niche._lineages
    for lineage in (best, *others):
        for _ in range(3):
            lineage.take(lineage.value, lineage.passes)
    niche.settle()
    assert (best.value, best.age) == (1, 3)
    assert [other.age for other in others] == [0, 0]
    assert {other.value for other in others} <= set(range(1, 9))


def mutation(seed: int = 0, max_passes: int = 60) -> Mutation:
    coreset = Coreset((PassList(["Oz", "gvn", "dce"]),), {"gvn": 99.0, "dce": 1.0})
    return Mutation(coreset, ACTIONS.names, max_passes, np.random.default_rng(seed))


def test_new_actions_are_mostly_those_that_help() -> None:
    maker = mutation()
    new = Counter(maker._action() for _ in range(3000))
    assert 0.6 < new["gvn"] / 3000 < 0.8
    assert len(new) > 100  # every action stays possible


def test_every_edit_is_made_and_lists_stay_legal() -> None:
    maker, edits, start = mutation(max_passes=5), Counter[str](), PassList(["sroa", "gvn", "Oz"])
    for _ in range(600):
        mutant, made = maker.mutate(start)
        edits.update(made)
        assert len(mutant) <= 5
    assert set(edits) == {
        "insert",
        "append",
        "prepend",
        "delete",
        "replace",
        "swap",
        "splice",
        "chain",
    }
    assert edits["insert"] > edits["swap"]


def test_the_empty_list_can_be_mutated() -> None:
    maker = mutation()
    assert any(len(maker.mutate(PassList([]))[0]) for _ in range(20))


def test_edits_that_help_are_made_more_often() -> None:
    plain, taught = mutation(1), mutation(1)
    for _ in range(100):
        taught.learn(["swap"], better=True)
        taught.learn(["insert"], better=False)
    often = [Counter(maker._edit() for _ in range(2000))["swap"] for maker in (plain, taught)]
    assert often[1] > 3 * often[0]
