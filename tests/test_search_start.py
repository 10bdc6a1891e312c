"""What the searches start from, also where -Oz is no action."""

from __future__ import annotations

import pytest
from llmopt_bench.agents.search.start import start_of

from llmopt_bench import PassList, PassOrderEnv, load_agent, make_action_set
from llmopt_bench.budget import Meter

SEARCHES = (
    "autotuner",
    "beam",
    "epsilon-greedy",
    "genetic",
    "greedy",
    "nevergrad",
    "random",
    "tuner",
)


def test_the_start_is_oz_if_it_is_an_action() -> None:
    assert start_of(make_action_set("passes-v1")).names == ("Oz",)
    assert start_of(make_action_set("compiler-gym-v0")).names == ()


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_find_something_without_oz(name: str) -> None:
    if name == "nevergrad":
        pytest.importorskip("nevergrad")
    action_set = make_action_set("compiler-gym-llvm22-v1")
    env = PassOrderEnv("bundled-v1/crc_family", action_set=action_set, meter=Meter(250))
    env.reset(seed=0)
    answer = load_agent(name).run(env)
    assert isinstance(answer, PassList)
    session = env.session.clone()
    assert session.evaluate([answer])[0] < env.initial
