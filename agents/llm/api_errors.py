"""What can go wrong when a model is asked over HTTP: one class for each thing to do about it.

Texts of a server are shown shortened and without the key: servers like to quote what they got.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llmopt_bench import LlmoptError

_LONGEST = 200
_CONTEXT_WORDS = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "max_model_len",
    "prompt is too long",
    "too many tokens",
)
_MONEY_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class ApiError(LlmoptError, RuntimeError):
    """The server of a model gave no usable answer."""

    transient = False
    """Whether the same request may succeed later."""


class ApiKeyMissing(ApiError):
    """The environment has no key, or none that can be sent."""


class ApiUnreachable(ApiError):
    """There is no connection to the server, or it broke."""

    transient = True


class ApiKeyRefused(ApiError):
    """The server does not accept the key (401, 403)."""


class ApiUnknownModel(ApiError):
    """The server has no such model, or no such address (404)."""


class ApiRateLimited(ApiError):
    """The server wants fewer requests (429)."""

    transient = True


class ApiQuotaSpent(ApiError):
    """The account has no money left (402, or 429 with a code that says so); waiting is no help."""


class ApiTimedOut(ApiError, TimeoutError):
    """The server did not answer in time."""

    transient = True


class ApiServerFailed(ApiError):
    """The server failed (5xx)."""

    transient = True


class ApiBadReply(ApiError, ValueError):
    """The server answered something else than a completion."""


class ApiReplyTooLong(ApiBadReply):
    """The answer has more bytes than are read."""


class ApiContextTooLong(ApiError, ValueError):
    """The request and the answer do not fit into the model's context."""


class ApiRequestRefused(ApiError, ValueError):
    """The server does not accept the request for another reason (4xx)."""


def told(text: object, key: str) -> str:
    """Return what a server said: on one line, shortened, without the key."""
    line = " ".join(str(text).split())
    for secret in {key, quote(key, safe="")} - {""}:
        line = line.replace(secret, "[key]")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


def status_error(status: int, body: object, place: str, model: str, key: str) -> ApiError:
    """Return the error for a status.

    Args:
        status: Of HTTP, 300 or more.
        body: What came with it: decoded JSON or text.
        place: Address of the server, for the message.
        model: Name of the model that was asked for.
        key: What must not be shown.
    """
    text = told(_message(body), key)
    got = f"{place}: expected a completion, got status {status}: {text or 'no text'}."
    code = body.get("code") if isinstance(body, Mapping) else None
    if status in (401, 403):
        return ApiKeyRefused(f"{got} Check the key in the environment, and what it may use.")
    if status == 404:
        return ApiUnknownModel(
            f"{got} Check the model {told(model, key)!r}, and that base_url ends where "
            "/chat/completions begins (often /v1)."
        )
    if status == 402 or (status == 429 and code in _MONEY_CODES):
        return ApiQuotaSpent(f"{got} Fill up the account.")
    if status == 429:
        return ApiRateLimited(f"{got} Lower requests_per_minute, or raise retries.")
    if status >= 500 or status in (408, 409):
        return ApiServerFailed(f"{got} Try again later, or raise retries.")
    if code == "context_length_exceeded" or any(word in text.lower() for word in _CONTEXT_WORDS):
        return ApiContextTooLong(f"{got} Set context to the model's, or lower max_tokens.")
    return ApiRequestRefused(f"{got} Check the settings against what the server supports.")


def _message(body: Any) -> object:
    """Return the text in the body of an error, as the common servers write it."""
    if isinstance(body, Mapping):
        return body.get("message") or body.get("detail") or dict(body)
    return body or ""
