"""The agent ``llm-api``, from the program to the record, at a scripted server."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from llm_server import (
    KEY,
    Act,
    Scripted,
    calls,
    check_no_key,
    failure,
    flood,
    raw,
    says,
    serve,
    set_key,
)
from searching import Recorder

from llmopt_bench import PassList, Record, Task, load_agent
from llmopt_bench.runner_work import Item, Job, perform

pytest.importorskip("openai", reason="pip install 'llmopt-bench[api]'")

NAME = "llmopt_bench.agents.llm.api_agent:LlmApi"
agent_module: Any = importlib.import_module("llmopt_bench.agents.llm.api_agent")
errors: Any = importlib.import_module("llmopt_bench.agents.llm.api_errors")
PROGRAM = "bundled-functions-v1/aes128_modes/from_hex"
MODULE = "bundled-v1/crc_family"
TASK = Task(name="api", metric="instruction_count", budget=4, programs=(PROGRAM,))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch)


def named(*names: str) -> str:
    """Return the answer that the prompt ``chat`` asks for."""
    return json.dumps({"passes": names})


@contextmanager
def serving(*acts: Act, **settings: Any) -> Iterator[tuple[Scripted, Any]]:
    """Run a server, and yield it with the agent that asks it."""
    with serve(*acts) as script:
        given = {"base_url": script.url, "timeout": 5.0, "retries": 0, **settings}
        yield script, agent_module.LlmApi("m1", **given)


def passes(env: Recorder, *names: str) -> PassList:
    return PassList(names, env.action_set)


def test_without_a_budget_the_first_answer_counts_untried() -> None:
    env = Recorder(0)
    with serving(says(named("mem2reg", "simplifycfg")), samples=None) as (script, agent):
        assert agent.run(env) == passes(env, "mem2reg", "simplifycfg")
    assert env.lists == []
    (request,) = script.requests
    assert request.body["temperature"] == 0
    assert "mem2reg" in request.body["messages"][0]["content"]
    assert "define " in request.body["messages"][1]["content"]
    assert agent.usage["calls"] == 1
    assert agent.usage["rule_whole"] == 1
    assert (agent.usage["tokens_in"], agent.usage["tokens_out"]) == (100, 7)


def test_with_a_budget_draws_are_tried_and_the_best_wins() -> None:
    env = Recorder(3)
    acts = (says(named("dce")), says(named("Oz"), named("mem2reg")))
    with serving(*acts, samples=3, temperature=0.9) as (script, agent):
        answer = agent.run(env)
    assert env.lists == [passes(env, "dce"), passes(env, "Oz"), passes(env, "mem2reg")]
    assert env.value_of(answer) == env.best_seen()[0]
    assert [request.body["temperature"] for request in script.requests] == [0, 0.9]
    assert script.requests[1].body["n"] == 2


def test_an_answer_without_a_list_falls_back_to_oz() -> None:
    env = Recorder(0)
    with serving(says("I cannot help with that.")) as (_, agent):
        assert agent.run(env) == passes(env, "Oz")
    assert (agent.usage["fallbacks"], agent.usage["problem_no-list"]) == (1, 1)


@pytest.mark.parametrize(("prompt", "stop"), [("paper", "[code]"), ("llm-compiler-ftd", "<code>")])
def test_prompts_that_are_texts_use_completions(prompt: str, stop: str) -> None:
    env = Recorder(0)
    answer = "Run passes mem2reg,dce to reduce instruction count from 9 to 5:\nopt -p 'mem2reg,dce'"
    with serving(says(answer), prompt=prompt) as (script, agent):
        assert agent.run(env).names[0] == "mem2reg"
    (request,) = script.requests
    assert request.path == "/v1/completions"
    assert "define " in request.body["prompt"]
    assert request.body["stop"] == [stop]


def test_a_module_that_is_too_long_is_split() -> None:
    env = Recorder(0, MODULE)
    with serving(says(named("mem2reg")), context=6_000, max_tokens=100) as (script, agent):
        assert agent.run(env) == passes(env, "mem2reg")
    assert agent.usage["rule_functions"] == 1
    assert len(script.requests) == agent.usage["calls"] > 1


def test_turns_give_feedback_and_the_best_list_wins() -> None:
    env = Recorder(5)
    acts = (says(named("dce")), says(named("Oz")), says(named("mem2reg")))
    with serving(*acts, turns=3) as (script, agent):
        answer = agent.run(env)
    assert len(env.lists) == 3
    assert env.value_of(answer) == env.best_seen()[0]
    roles = [message["role"] for message in script.requests[2].body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


def test_tools_are_used_and_the_best_list_wins() -> None:
    env = Recorder(5)
    measured = calls(("instruction_count", {"passes": ["Oz"]}))
    with serving(measured, calls(("finish", {"passes": ["dce"]})), tools=True) as (script, agent):
        answer = agent.run(env)
    assert env.lists == [passes(env, "Oz"), passes(env, "dce")]
    assert answer == passes(env, "Oz")
    assert script.requests[1].body["messages"][-1]["role"] == "tool"
    assert agent.usage["calls"] == 2


@pytest.mark.parametrize("settings", [{"turns": 3}, {"tools": True, "max_calls": 3}])
def test_conversations_without_a_list_fall_back_to_oz(settings: dict[str, Any]) -> None:
    env = Recorder(2)
    with serving(says("hm"), **settings) as (script, agent):
        assert agent.run(env) == passes(env, "Oz")
    assert len(script.requests) == 3
    assert agent.usage["fallbacks"] == 1


def test_the_same_seed_asks_the_same() -> None:
    def bodies() -> list[Any]:
        acts = (says(named("dce")), says(named("Oz")))
        with serving(*acts, samples=2) as (script, agent):
            agent.run(Recorder(2))
            return [request.body for request in script.requests]

    first = bodies()
    assert first == bodies()
    assert "seed" in first[1]


def record(script: Scripted, budget: int = 4, **settings: Any) -> Record:
    """Return the record that the runner makes of a run."""
    given = {"base_url": script.url, "timeout": 5.0, "retries": 0, **settings}
    job = Job(TASK, (load_agent(NAME, model="m1", **given),), budget, seed=5)
    return perform(job, Item(0, PROGRAM, 0), job.facts(PROGRAM))


def test_the_record_tells_the_cost_and_not_the_key() -> None:
    with serve(says(named("mem2reg"))) as script:
        found = record(script, usd_in=1_000.0, usd_out=0.0)
    assert (found.status, found.new is not None) == ("ok", True)
    assert found.usage["cost_usd"] == pytest.approx(0.1)
    assert found.usage["tokens_in"] == 100
    assert found.agent_settings["model"] == "m1"
    assert KEY not in found.to_json()


@pytest.mark.parametrize(
    "act",
    [failure(401, f"bad key {KEY}"), failure(500, KEY), raw(KEY.encode()), raw(b"{}")],
)
def test_an_error_fails_the_record_and_does_not_show_the_key(act: Act) -> None:
    with serve(act) as script:
        found = record(script)
    assert found.status == "failed"
    assert "Api" in str(found.error)
    assert KEY not in found.to_json()


def test_what_was_paid_before_an_error_is_known() -> None:
    with serving(says(named("dce")), failure(500), turns=2, usd_in=1.0) as (_, agent):
        with pytest.raises(errors.ApiServerFailed):
            agent.run(Recorder(5))
        assert agent.usage["cost_usd"] == pytest.approx(1e-4)
        assert agent.usage["calls"] == 1


def test_usage_is_of_the_last_run() -> None:
    with serving(says(named("dce")), failure(401)) as (_, agent):
        agent.run(Recorder(0))
        assert (agent.usage["calls"], agent.usage["answers"]) == (1, 1)
        with pytest.raises(errors.ApiKeyRefused):
            agent.run(Recorder(0))
        assert agent.usage["calls"] == 0
        assert "answers" not in agent.usage


def test_an_endless_answer_fails_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmopt_bench.agents.llm.api_bounds.MOST_BYTES", 100_000)
    with serve(flood()) as script:
        assert "ApiReplyTooLong" in str(record(script).error)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"model": ""}, "name of a model"),
        ({"base_url": "ftp://x"}, "as base_url"),
        ({"prompt": "papyrus"}, "unknown prompt"),
        ({"samples": 0}, "1 or more"),
        ({"turns": 0}, "1 or more"),
        ({"max_calls": 0}, "1 or more"),
        ({"max_tokens": 0}, "one token"),
        ({"temperature": -1.0}, "temperature"),
        ({"feedback": "loud"}, "fast"),
        ({"turns": 2, "tools": True}, "Choose one"),
        ({"samples": 2, "turns": 2}, "Choose one"),
        ({"samples": None, "tools": True}, "Choose one"),
        ({"tools": True, "prompt": "paper"}, "tools need the prompt 'chat'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], text: str) -> None:
    with pytest.raises((ValueError, LookupError), match=text):
        agent_module.LlmApi(**{"model": "m1", **settings})


@pytest.mark.parametrize("settings", [{"model": KEY}, {"base_url": f"https://host/{KEY}/v1"}])
def test_a_key_in_the_settings_makes_no_record(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="without the key") as caught:
        agent_module.LlmApi(**{"model": "m1", **settings})
    check_no_key(caught.value)


def test_the_client_is_loaded_when_it_is_needed() -> None:
    code = (
        f"import sys, {NAME.partition(':')[0]}\n"
        "sys.exit(any(name in sys.modules for name in ('openai', 'httpx2', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_client_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"llmopt-bench\[api\]"):
        agent_module.LlmApi("m1")
