"""Where a server is and how its key is kept: addresses, logs, and settings that are refused."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest
from llm_server import KEY, check_no_key, failure, opened, says, serve, set_key

pytest.importorskip("openai", reason="pip install 'llmopt-bench[api]'")

LLM = "llmopt_bench.agents.llm."
api: Any = importlib.import_module(LLM + "api")
client: Any = importlib.import_module(LLM + "api_client")
errors: Any = importlib.import_module(LLM + "api_errors")
model: Any = importlib.import_module(LLM + "model")
pace: Any = importlib.import_module(LLM + "api_pace")
view: Any = importlib.import_module(LLM + "prompt_view")

CHAT = (view.Message("user", "the IR"),)
SAMPLING = model.Sampling(max_tokens=50)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch)
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.01)


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    acts = (failure(500, KEY), says("a"))
    with serve(*acts) as script, opened(script, retries=1) as asked:
        asked.write(CHAT, SAMPLING)
        shown = repr([asked, vars(asked), asked._connection, asked._settings])
    assert "HTTP" in caplog.text  # there is a log
    assert KEY not in caplog.text
    assert KEY not in shown


@pytest.mark.parametrize("value", ["", "  ", "two words", "schlüssel", "new\nline"])
def test_a_key_that_cannot_be_sent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", value)
    server = client.Server("http://127.0.0.1:9/v1", key_env="MY_KEY")
    with pytest.raises(errors.ApiKeyMissing, match="environment variable MY_KEY") as caught:
        client.Connection(server, "m1", model.Usage())
    assert not value.strip() or value not in str(caught.value)


def test_a_server_without_keys() -> None:
    with serve(says("a")) as script, opened(script, key_env=None) as asked:
        asked.write(CHAT, SAMPLING)
    assert KEY not in str(script.requests[0])


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{KEY}@host/v1",
        f"https://{KEY}@host/v1",
        f"https://host/v1?api_key={KEY}",
        f"https://host/v1#{KEY}",
        f"ftp://host/{KEY}",
        f"https://host:{KEY}/v1",
        f"https://ho st/{KEY}",
        f"https:///{KEY}",
        KEY,
        "",
    ],
)
def test_an_address_that_may_hold_a_key_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="as base_url") as caught:
        client.Server(url)
    check_no_key(caught.value)
    if url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(ValueError, match="as OPENAI_BASE_URL") as caught:
            client.Connection(client.Server(), "m1", model.Usage())
        check_no_key(caught.value)


@pytest.mark.parametrize(("path", "name"), [(f"/{KEY}", "m1"), ("", KEY)])
def test_an_address_or_model_with_the_key_in_it_is_refused(path: str, name: str) -> None:
    with pytest.raises(ValueError, match="without the key") as caught:
        client.Connection(client.Server(f"http://127.0.0.1:9{path}"), name, model.Usage())
    check_no_key(caught.value)


def test_the_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.Server().url() == "https://api.openai.com/v1"
    with serve(says("a")) as script:
        monkeypatch.setenv("OPENAI_BASE_URL", script.url)
        with opened(script, base_url=None) as asked:
            assert asked.write(CHAT, SAMPLING)[0].text == "a"


@pytest.mark.parametrize(
    "settings",
    [
        {"key_env": KEY},
        {"key_env": ""},
        {"timeout": 0},
        {"retries": -1},
        {"requests_per_minute": 0},
    ],
)
def test_settings_of_the_server_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        client.Server(**settings)
    check_no_key(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": ""},
        {"context": 0},
        {"bytes_per_token": 0},
        {"usd_in": -1},
        {"usd_out": -1},
        {"limit_name": "tokens"},
    ],
)
def test_settings_of_the_model_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        api.ApiModelSettings(**{"name": "m1", **settings})
