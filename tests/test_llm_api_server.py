"""A real server of models, ``transformers serve``, with a model of ours that knows one answer."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from searching import PROGRAM, Recorder

from llmopt_bench import PassList, Session, Task, load_agent, make_action_set
from llmopt_bench.runner_work import Item, Job, perform

for needed in ("openai", "torch", "transformers", "fastapi", "uvicorn"):
    pytest.importorskip(needed, reason="pip install 'llmopt-bench[api,serve]'")

models: Any = importlib.import_module("llm_models")
torch: Any = importlib.import_module("torch")

pytestmark = pytest.mark.nightly  # to start the server takes half a minute

LLM = "llmopt_bench.agents.llm."
LEARNT = ("mem2reg", "simplifycfg", "dce")
START_SECONDS = 200


def teach(folder: Path) -> str:
    """Write a model that names ``LEARNT`` for ``PROGRAM``, and return its folder."""
    paper: Any = importlib.import_module(LLM + "prompt_paper")
    tokenizer = models.action_tokenizer()
    tokenizer.chat_template = models.CHAT
    session, actions = Session(PROGRAM), make_action_set()
    question = paper.paper_prompt(session.ir(normalized=True))
    answer = paper.paper_answer(PassList(LEARNT, actions), 9, 5, None)
    known = len(tokenizer(question)["input_ids"])
    ids = torch.tensor([[*tokenizer(question + answer)["input_ids"], tokenizer.eos_token_id]])
    labels = ids.clone()
    labels[:, :known] = -100
    network = models.network_for(tokenizer, spread=0.05).train()
    learner = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(300):
        loss = network(input_ids=ids, labels=labels).loss
        loss.backward()
        learner.step()
        learner.zero_grad()
        if loss.item() < 0.01:
            break
    else:
        pytest.fail("the model has not learnt its answer")
    network.generation_config.do_sample = True  # a temperature of 0 in the request switches it off
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"the server did not start: {log.read_text('utf-8', 'replace')[-2_000:]}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a server with a model of ours; yield the settings of the agent that asks it."""
    folder = tmp_path_factory.mktemp("served")
    name, port, log = teach(folder / "model"), free_port(), folder / "log"
    command = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", command, "serve", name, *options],
            stdout=out,
            stderr=out,
            env=environment,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield {
            "model": name,
            "base_url": f"http://127.0.0.1:{port}/v1",
            "key_env": None,
            "prompt": "paper",
            "max_tokens": 40,
            "timeout": 60.0,
        }
    finally:
        process.terminate()
        process.wait(30)


def agent(**settings: Any) -> Any:
    return importlib.import_module(LLM + "api_agent").LlmApi(**settings)


def test_the_answer_is_what_the_model_has_learnt(served: dict[str, Any]) -> None:
    env, asked = Recorder(0), agent(**served)
    assert asked.run(env).names == LEARNT
    assert asked.usage["calls"] == 1
    assert asked.usage["tokens_in"] > 100
    assert 0 < asked.usage["tokens_out"] <= 40
    assert not any(name.startswith("problem_") for name in asked.usage)


def test_a_record_of_a_real_server(served: dict[str, Any]) -> None:
    task = Task(name="served", metric="instruction_count", budget=3, programs=(PROGRAM,))
    settings = {**served, "samples": None, "usd_in": 1.0}
    loaded = load_agent(LLM + "api_agent:LlmApi", **settings)
    job = Job(task, (loaded,), 3, seed=5)
    record = perform(job, Item(0, PROGRAM, 0), job.facts(PROGRAM))
    assert (record.status, record.error) == ("ok", None)
    assert record.new is not None
    assert record.new <= Session(PROGRAM).evaluate([PassList(LEARNT)])[0]
    assert 1 <= record.additional_compilations <= 3
    assert record.usage["cost_usd"] > 0


def test_feedback_turns_at_a_real_server(served: dict[str, Any]) -> None:
    env = Recorder(3)
    agent(**served, turns=2, temperature=0.0).run(env)
    assert env.lists[0].names == LEARNT


def test_messages_at_a_real_server(served: dict[str, Any]) -> None:
    """The model has not learnt to chat; what counts is that the server takes the requests."""
    for settings in ({"turns": 2}, {"tools": True, "max_calls": 2}):
        asked = agent(**{**served, "prompt": "chat", **settings})
        asked.run(Recorder(3))
        assert asked.usage["calls"] == 2
        assert asked.usage["tokens_out"] > 0


def test_another_model_than_the_server_has(served: dict[str, Any]) -> None:
    errors: Any = importlib.import_module(LLM + "api_errors")
    with pytest.raises(errors.ApiRequestRefused, match="pinned"):
        agent(**{**served, "model": "another"}).run(Recorder(0))
