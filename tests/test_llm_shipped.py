"""The language model that comes with the library: there, whole, and better than -Oz."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from llm_models import module

from llmopt_bench import Record, Task, load_agent, make_dataset
from llmopt_bench.runner_work import Item, Job, perform

FUNCTIONS = tuple(list(make_dataset("bundled-functions-v1").uris())[::60])
SHIPPED: Path = module("shipped").SHIPPED
MODELS = sorted(module("shipped").shipped_models())


def answers(budget: int, agent: str = "llm", **settings: Any) -> list[Record]:
    task = Task(name="some", metric="instruction_count", budget=budget, programs=FUNCTIONS)
    job = Job(task, (load_agent(agent, **settings),), budget, seed=1)
    return [perform(job, Item(0, uri, 0), job.facts(uri)) for uri in FUNCTIONS]


@pytest.fixture(scope="module")
def untried() -> list[Record]:
    return answers(0)


@pytest.mark.parametrize("model", MODELS)
def test_the_card_names_the_files_that_are_there(model: str) -> None:
    folder = SHIPPED.parent / model
    card = (folder / "CARD.md").read_text("utf-8")
    for name in ("model.safetensors", "tokenizer.json", "portfolio.json"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() in card, name


def test_all_models_together_are_small() -> None:
    root = SHIPPED.parents[3]
    weights = [
        path for top in ("agents", "baselines") for path in (root / top).rglob("*.safetensors")
    ]
    assert len(weights) >= 4
    assert sum(path.stat().st_size for path in weights) < 40e6


def test_it_answers_without_compilations(untried: list[Record]) -> None:
    assert {(one.status, one.additional_compilations) for one in untried} == {("ok", 0)}
    assert all(one.pass_list and one.usage["answers"] == 1 for one in untried)
    assert not any(one.usage.get("fallbacks") for one in untried)
    assert {one.trained_on for one in untried} == {("corpus-train-v1",)}


def test_with_ten_compilations_it_is_better_than_oz(untried: list[Record]) -> None:
    tried = answers(10)
    assert all(one.new <= first.new for one, first in zip(tried, untried, strict=True))
    assert sum(one.new for one in tried) < sum(one.oz for one in tried)
    assert max(one.additional_compilations for one in tried) == 10


def test_another_order_of_functions_gives_the_same(untried: list[Record]) -> None:
    task = Task(name="some", metric="instruction_count", budget=0, programs=FUNCTIONS)
    job = Job(task, (load_agent("llm"),), 0, seed=1)
    last = perform(job, Item(0, FUNCTIONS[-1], 0), job.facts(FUNCTIONS[-1]))
    assert last.pass_list == untried[-1].pass_list


def test_the_careful_agent_seldom_loses(untried: list[Record]) -> None:
    careful = answers(0, agent="llm-careful")
    assert {(one.status, one.trained_on) for one in careful} == {("ok", ("corpus-train-v1",))}
    assert not any(one.usage.get("fallbacks") for one in careful)

    def worse(records: list[Record]) -> int:
        return sum(one.new > one.oz for one in records)

    assert worse(careful) < worse(untried)
    assert sum(one.new for one in careful) < sum(one.oz for one in careful)


def test_a_model_of_the_library_goes_by_its_name() -> None:
    careful, named = answers(0, agent="llm-careful"), answers(0, model="llm-careful-v1")
    assert [one.pass_list for one in careful] == [one.pass_list for one in named]
    assert {(one.agent, one.agent_version) for one in careful} == {("llm-careful", "1")}
