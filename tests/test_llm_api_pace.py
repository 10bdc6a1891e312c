"""How fast a server is asked: limits that threads share, and the waits between repetitions."""

from __future__ import annotations

import importlib
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

pace: Any = importlib.import_module("llmopt_bench.agents.llm.api_pace")


def test_requests_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], list[float]()
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=slept.append)
    monkeypatch.setattr(pace, "time", clock)
    limit = pace.RateLimit(60)
    for passed in (0.0, 0.0, 0.5, 10.0, 0.0):
        now[0] += passed
        limit.wait()
    assert slept == [0.0, 1.0, 1.5, 0.0, 1.0]


def test_threads_share_a_limit() -> None:
    limit = pace.shared_limit("http://threads", 1_200)  # one each 50 ms
    assert pace.shared_limit("http://threads", 1_200) is limit
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: limit.wait(), range(8)))
    assert time.monotonic() - start >= 0.05 * 7


def test_limits_of_servers_are_apart() -> None:
    assert pace.shared_limit("http://one", 60) is not pace.shared_limit("http://two", 60)
    assert pace.shared_limit("http://one", 60) is not pace.shared_limit("http://one", 61)


def test_waits_double_up_to_a_limit_and_differ() -> None:
    for repetition, longest in enumerate([1, 2, 4, 8, 16, 32, 60, 60]):
        waits = [pace.wait_before(repetition, None) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert pace.wait_before(10_000, None) <= 60


def test_the_server_may_ask_for_a_wait() -> None:
    assert 7 <= pace.wait_before(0, 7.0) <= 7.25
    assert pace.wait_before(0, 301.0) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-4", 0.0), ("nan", None), ("soon", None), ("1e999", float("inf"))],
)
def test_retry_after_in_seconds(text: str, seconds: float | None) -> None:
    assert pace.asked_wait({"retry-after": text}) == seconds


def test_retry_after_as_a_date() -> None:
    later = formatdate(time.time() + 40, usegmt=True)
    assert pace.asked_wait({"retry-after": later}) == pytest.approx(40, abs=2)
    assert pace.asked_wait({"retry-after": formatdate(0, usegmt=True)}) == 0.0
    assert pace.asked_wait({}) is None
