"""How fast a server is asked: the rate limit, and how long to wait before a request is repeated."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_WAIT = 1.0
"""Seconds before the first repetition; each later wait may be twice as long."""
LONGEST_WAIT = 60.0
"""The most seconds between two requests of our own will."""
LONGEST_ASKED_WAIT = 300.0
"""The most seconds that a server may ask for; whoever asks for more is not asked again."""


class RateLimit:
    """Spreads requests evenly over time; threads may share it.

    Args:
        per_minute: The most requests a minute.
    """

    def __init__(self, per_minute: float) -> None:
        self._gap = 60.0 / per_minute
        self._next = -math.inf
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request may be sent, and take its place."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._gap
        time.sleep(start - now)


_LIMITS: dict[tuple[str, float], RateLimit] = {}


def shared_limit(server: str, per_minute: float) -> RateLimit:
    """Return the limit that all threads of this process share for a server."""
    return _LIMITS.setdefault((server, per_minute), RateLimit(per_minute))


def wait_before(repetition: int, asked: float | None) -> float | None:
    """Return how long to wait before a request is repeated.

    Args:
        repetition: 0 for the first.
        asked: Seconds that the server asked for, None if it did not.

    Returns:
        Seconds: what the server asked for and a little more, or else a random part of a time that
        doubles, so that many clients do not come back at once. None if the server asked for more
        than ``LONGEST_ASKED_WAIT``.
    """
    if asked is not None:
        jitter = random.uniform(0, FIRST_WAIT / 4)
        return asked + jitter if asked <= LONGEST_ASKED_WAIT else None
    longest = min(FIRST_WAIT * 2.0 ** min(repetition, 30), LONGEST_WAIT)
    return random.uniform(longest / 2, longest)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After`` (RFC 9110): a number or a date; None without one."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if not math.isnan(seconds) else None
