"""Models behind a server: what is sent, what comes back, what goes wrong, and what it costs."""

from __future__ import annotations

import importlib
import json
import re
import time
from typing import Any

import pytest
from llm_server import (
    KEY,
    Act,
    check_no_key,
    content,
    cut,
    failure,
    flood,
    opened,
    raw,
    says,
    serve,
    set_key,
    silence,
)

pytest.importorskip("openai", reason="pip install 'llmopt-bench[api]'")

LLM = "llmopt_bench.agents.llm."
api: Any = importlib.import_module(LLM + "api")
bounds: Any = importlib.import_module(LLM + "api_bounds")
client: Any = importlib.import_module(LLM + "api_client")
errors: Any = importlib.import_module(LLM + "api_errors")
model: Any = importlib.import_module(LLM + "model")
pace: Any = importlib.import_module(LLM + "api_pace")
view: Any = importlib.import_module(LLM + "prompt_view")

CHAT = (view.Message("system", "choose"), view.Message("user", "the IR"))
SAMPLING = model.Sampling(max_tokens=50)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch)
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.01)


def problem(act: Act, request: Any = CHAT, **settings: Any) -> Any:
    """Return the error that an act of the server gives."""
    with serve(act) as script, opened(script, **settings) as asked:
        with pytest.raises(errors.ApiError) as caught:
            asked.write(request, SAMPLING)
        check_no_key(caught.value)
        return caught.value


def test_messages_go_to_the_chat_endpoint() -> None:
    with serve(says("an answer")) as script, opened(script) as asked:
        (reply,) = asked.write(CHAT, SAMPLING)
    assert (reply.text, reply.complete) == ("an answer", True)
    (request,) = script.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "m1",
        "max_tokens": 50,
        "temperature": 0.0,
        "messages": [
            {"role": "system", "content": "choose"},
            {"role": "user", "content": "the IR"},
        ],
    }


def test_a_text_goes_to_the_completions_endpoint() -> None:
    with serve(says("more")) as script, opened(script) as asked:
        assert asked.write("a text", SAMPLING)[0].text == "more"
    (request,) = script.requests
    assert request.path == "/v1/completions"
    assert request.body["prompt"] == "a text"
    assert "messages" not in request.body


def test_how_to_write_is_sent() -> None:
    sampling = model.Sampling(9, samples=2, temperature=0.7, top_p=0.9, seed=5, stop=("\n",))
    with (
        serve(says("a", "b")) as script,
        opened(script, limit_name="max_completion_tokens") as asked,
    ):
        assert [reply.text for reply in asked.write(CHAT, sampling)] == ["a", "b"]
    (request,) = script.requests
    sent = {name: value for name, value in request.body.items() if name != "messages"}
    assert sent == {
        "model": "m1",
        "max_completion_tokens": 9,
        "n": 2,
        "temperature": 0.7,
        "seed": 5,
        "top_p": 0.9,
        "stop": ["\n"],
    }


def test_models_may_refuse_to_be_told_how_to_draw() -> None:
    sampling = model.Sampling(9, temperature=1.0, top_p=0.5, seed=3)
    with serve(says("a")) as script, opened(script, sends_sampling=False) as asked:
        asked.write(CHAT, sampling)
    assert script.requests[0].body.keys() == {"model", "max_tokens", "messages"}


def test_a_server_that_gives_one_answer_is_asked_for_the_others() -> None:
    sampling = model.Sampling(9, samples=3, temperature=1.0, seed=10)
    acts = (says("a"), says("b", "c", "too many"))
    with serve(*acts) as script, opened(script) as asked:
        assert [reply.text for reply in asked.write(CHAT, sampling)] == ["a", "b", "c"]
    assert [request.body["n"] for request in script.requests] == [3, 2]
    assert [request.body["seed"] for request in script.requests] == [10, 11]


def test_many_answers_are_asked_for_in_parts() -> None:
    acts = (says(*["a"] * 32), says(*["b"] * 8))
    with serve(*acts) as script, opened(script) as asked:
        assert len(asked.write(CHAT, model.Sampling(9, samples=40, temperature=1.0))) == 40
    assert [request.body["n"] for request in script.requests] == [32, 8]


def test_an_answer_that_was_cut_says_so() -> None:
    with serve(says("pas", finish="length")) as script, opened(script) as asked:
        (reply,) = asked.write(CHAT, SAMPLING)
    assert (reply.text, reply.complete) == ("pas", False)


def test_an_answer_without_text_is_empty() -> None:
    choice = {"message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
    with serve(content({"choices": [choice]})) as script, opened(script) as asked:
        assert asked.write(CHAT, SAMPLING)[0].text == ""


def test_half_a_character_can_be_sent_back() -> None:
    with serve(raw(b'{"choices": [{"text": "a\\ud800b"}]}')) as script, opened(script) as asked:
        (reply,) = asked.write("text", SAMPLING)
        asked.write(reply.text, SAMPLING)
    assert script.requests[1].body["prompt"] == "a?b"


def test_the_cost_is_added_up() -> None:
    acts = (says("a", tokens=(1_000, 10)), says("b", tokens=(2_000, 20)))
    with serve(*acts) as script, opened(script, usd_in=3.0, usd_out=15.0) as asked:
        asked.write(CHAT, SAMPLING)
        asked.write(CHAT, SAMPLING)
        usage = asked.usage.as_dict()
    assert usage["cost_usd"] == pytest.approx(3_000 * 3e-6 + 30 * 15e-6)
    assert (usage["calls"], usage["tokens_in"], usage["tokens_out"]) == (2, 3_000, 30)
    assert usage["retries"] == 0


@pytest.mark.parametrize("tokens", [None, (-1, True), ("9", 2.5)])
def test_tokens_that_are_not_told_are_estimated(tokens: Any) -> None:
    with serve(says("12345", tokens=tokens)) as script, opened(script) as asked:
        asked.write("x" * 101, SAMPLING)
        usage = asked.usage
    assert (usage.tokens_in, usage.tokens_out) == (51, 3)


def test_what_an_answer_without_choices_cost_is_noted() -> None:
    empty = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 0}}
    with serve(content(empty)) as script, opened(script, usd_in=1.0) as asked:
        with pytest.raises(errors.ApiBadReply, match="expected choices, got"):
            asked.write(CHAT, SAMPLING)
        assert (asked.usage.calls, asked.usage.cost_usd) == (1, pytest.approx(1e-5))


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), "ApiKeyRefused", r"\[key\].*Check"),
        (failure(403), "ApiKeyRefused", "status 403"),
        (failure(404, "no model m1"), "ApiUnknownModel", "no model m1.*Check the model 'm1'"),
        (failure(429, "slower"), "ApiRateLimited", "slower.*requests_per_minute"),
        (failure(429, "paid?", "insufficient_quota"), "ApiQuotaSpent", "Fill up"),
        (failure(402, "money"), "ApiQuotaSpent", "money"),
        (failure(500, f"Bearer {KEY}"), "ApiServerFailed", r"Bearer \[key\]"),
        (failure(503), "ApiServerFailed", "raise retries"),
        (failure(400, "x", "context_length_exceeded"), "ApiContextTooLong", "Set context"),
        (failure(400, "maximum context length is 4096"), "ApiContextTooLong", "4096"),
        (failure(422, "n must be 1"), "ApiRequestRefused", "n must be 1"),
        (content({"detail": "fast"}, 400), "ApiRequestRefused", "fast"),
        (raw(b"<html>busy", 502), "ApiServerFailed", "busy"),
        (raw(b"", 307, Location="http://127.0.0.1:9/"), "ApiRequestRefused", "status 307"),
        (raw(b'{"choices": ['), "ApiBadReply", "expected JSON"),
        (raw(b"\xff\xfe"), "ApiBadReply", "expected JSON"),
        (raw(b"[" * 200_000), "ApiBadReply", "expected JSON"),
        (raw(b"<html>hello"), "ApiBadReply", "hello.*OpenAI-compatible"),
        (raw(json.dumps(["x", KEY]).encode()), "ApiBadReply", "expected a JSON object"),
        (content({}), "ApiBadReply", "expected choices"),
        (content({"choices": None}), "ApiBadReply", "expected choices"),
        (content({"choices": [{"message": 3}]}), "ApiBadReply", "expected choices"),
        (content({"error": {"message": f"no {KEY}"}}), "ApiBadReply", r"no \[key\]"),
        (raw(b"{}", Content_Encoding="gzip"), "ApiBadReply", "not compressed"),
        (cut, "ApiUnreachable", "expected a connection"),
    ],
)
def test_every_fault_has_its_error(act: Act, kind: str, text: str) -> None:
    found = problem(act)
    assert type(found).__name__ == kind
    assert re.search(text, str(found)), found


@pytest.mark.parametrize("act", [silence, flood(every=0.05, piece=b" "), flood(500, b" ", 0.05)])
def test_an_answer_that_takes_too_long_is_given_up(act: Act) -> None:
    start = time.monotonic()
    assert isinstance(problem(act, timeout=0.4), errors.ApiTimedOut)
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_end_is_given_up(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 300_000)
    found = problem(flood(status), timeout=30.0)
    assert isinstance(found, errors.ApiReplyTooLong)
    assert "at most 300000 bytes" in str(found)


def test_nobody_listens() -> None:
    with serve(says("a")) as script:
        pass
    with opened(script) as asked, pytest.raises(errors.ApiUnreachable, match="Does a server"):
        asked.write(CHAT, SAMPLING)


def test_what_may_pass_is_tried_again() -> None:
    acts = (failure(500), failure(429), cut, says("at last"))
    with serve(*acts) as script, opened(script, retries=3) as asked:
        assert asked.write(CHAT, SAMPLING)[0].text == "at last"
        assert (asked.usage.retries, asked.usage.calls) == (3, 1)
    assert len(script.requests) == 4


def test_it_is_not_tried_for_ever() -> None:
    with serve(failure(500)) as script, opened(script, retries=2) as asked:
        with pytest.raises(errors.ApiServerFailed):
            asked.write(CHAT, SAMPLING)
        assert asked.usage.retries == 2
    assert len(script.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_cannot_pass_is_not_tried_again(status: int) -> None:
    with serve(failure(status)) as script, opened(script, retries=3) as asked:
        with pytest.raises(errors.ApiError):
            asked.write(CHAT, SAMPLING)
    assert len(script.requests) == 1


def test_the_server_says_how_long_to_wait() -> None:
    with serve(failure(429, Retry_After="0.6"), says("a")) as script:
        with opened(script, retries=1) as asked:
            start = time.monotonic()
            asked.write(CHAT, SAMPLING)
            assert time.monotonic() - start >= 0.6
    with serve(failure(429, Retry_After="86400"), says("a")) as script:
        with opened(script, retries=1) as asked, pytest.raises(errors.ApiRateLimited):
            asked.write(CHAT, SAMPLING)
    assert len(script.requests) == 1


def test_the_rate_limit_holds_for_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    monkeypatch.setattr(pace.RateLimit, "wait", lambda limit: waits.append(limit))
    with serve(failure(500), says("a"), says("b")) as script:
        with opened(script, retries=1, requests_per_minute=300) as asked:
            asked.write(CHAT, SAMPLING)
        with opened(script, requests_per_minute=300) as asked:  # another connection, one limit
            asked.write(CHAT, SAMPLING)
    assert len(waits) == len(script.requests) == 3
    assert len(set(waits)) == 1


def test_tokens_are_rather_too_many() -> None:
    with serve() as script, opened(script, bytes_per_token=2.0, context=77) as asked:
        assert asked.context == 77
        assert asked.count("äb") == 2  # three bytes
        assert asked.count(CHAT) == 3 + 3 + 2 * 16
        assert asked.count_messages([{"role": "user"}]) > 9
