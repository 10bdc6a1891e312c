"""What every registered agent promises, whoever wrote it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmopt_bench import Record, Session, Task, agent_names, load_agent, make_dataset
from llmopt_bench.agent import LoadedAgent
from llmopt_bench.errors import BadAgent
from llmopt_bench.runner_work import Item, Job, perform
from llmopt_bench.verify import verify_records

PROGRAMS = tuple(list(make_dataset("bundled-functions-v1").uris())[:2])
TASK = Task(name="contract", metric="instruction_count", budget=40, programs=PROGRAMS)


@pytest.fixture(params=agent_names())
def agent(request: pytest.FixtureRequest) -> LoadedAgent:
    try:
        return load_agent(request.param)
    except BadAgent as error:
        needs = ("pip install", "missing a required argument")  # a package, or a server's model
        if not any(text in str(error) for text in needs):
            raise
        return pytest.skip(str(error))


def run(agent: LoadedAgent, program: str = PROGRAMS[0], budget: int = 40) -> Record:
    job = Job(TASK, (agent,), budget, seed=5)
    return perform(job, Item(0, program, 0), job.facts(program))


def test_run_gives_a_record_that_holds(agent: LoadedAgent) -> None:
    record = run(agent)
    assert (record.status, record.error) == ("ok", None)
    assert verify_records([record]) == []


def test_same_seed_same_record_whatever_ran_before(agent: LoadedAgent) -> None:
    first = run(agent)
    run(agent, PROGRAMS[1])
    assert replace(run(agent), wall_seconds=0) == replace(first, wall_seconds=0)


@pytest.mark.parametrize("budget", [0, 1, 7])
def test_small_budgets_are_kept(agent: LoadedAgent, budget: int) -> None:
    record = run(agent, budget=budget)
    assert (record.status, record.error) == ("ok", None)
    assert record.additional_compilations <= budget


@pytest.mark.parametrize("level", ["O0", "O1", "O2", "O3", "Os", "Oz"])
def test_pipelines_are_what_clang_does_and_cost_nothing(level: str) -> None:
    record = run(load_agent(level))
    assert record.new == Session(PROGRAMS[0]).reference(level)
    assert record.additional_compilations == 0
