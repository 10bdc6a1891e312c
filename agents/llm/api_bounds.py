"""An HTTP client whose answers end: after so many bytes, and after so many seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .api_errors import ApiBadReply, ApiReplyTooLong, ApiTimedOut

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 8 * 2**20
"""Bytes of an answer that are read: room for 100,000 tokens and what servers put around them."""


def late(place: str, timeout: float) -> ApiTimedOut:
    """Return the error of a server that takes longer than ``timeout`` seconds."""
    return ApiTimedOut(
        f"{place}: expected an answer within {timeout:g} seconds, got none, or not all of it. "
        "Raise timeout, or lower max_tokens."
    )


def bounded_client(place: str, timeout: float) -> httpx2.Client:
    """Return a client for ``openai`` that reads no answer without end.

    The time-outs of HTTP clients are for each read, so a server that sends a byte now and then
    would never be too slow. Here the whole body has to come within ``timeout`` seconds of its
    beginning, whatever the status, and has at most ``MOST_BYTES``. Answers are not compressed,
    since these bytes could become any number. Redirections are not followed: the key is for the
    address that was named.

    Args:
        place: Address of the server, for messages.
        timeout: Seconds.
    """
    import httpx2
    from openai import DefaultHttpxClient

    class Bounded(httpx2.SyncByteStream):
        """A stream of bytes that ends."""

        def __init__(self, stream: httpx2.SyncByteStream) -> None:
            self._stream = stream
            self._end = time.monotonic() + timeout

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for piece in self._stream:
                size += len(piece)
                if size > MOST_BYTES:
                    raise ApiReplyTooLong(
                        f"{place}: expected at most {MOST_BYTES} bytes, got more. Does the server "
                        "know max_tokens?"
                    )
                if time.monotonic() > self._end:
                    raise late(place, timeout)
                yield piece

        def close(self) -> None:
            self._stream.close()

    def bound(response: httpx2.Response) -> None:
        coding = response.headers.get("content-encoding", "identity")
        if coding != "identity":
            raise ApiBadReply(
                f"{place}: expected an answer that is not compressed, as asked for, got {coding!r}."
                " Ask the server directly, or let what is between change nothing."
            )
        response.stream = Bounded(response.stream)  # type: ignore[arg-type]

    return DefaultHttpxClient(
        timeout=timeout,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [bound]},
    )
