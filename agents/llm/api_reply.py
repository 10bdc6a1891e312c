"""From the body of an HTTP answer to what the model wrote. Nothing in the body is trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .api_errors import ApiBadReply, told

MAX_CALLS = 32
"""Tool calls of one answer that are looked at."""
_MOST_TOKENS = 2**40


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants to be called."""

    id: str
    name: str
    arguments: str
    """What it wrote as the arguments; perhaps JSON."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer."""

    text: str
    complete: bool
    """False: it was cut at the most tokens."""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body says."""

    choices: tuple[Choice, ...]
    tokens_in: int | None
    """None: the server does not say, or says something impossible."""
    tokens_out: int | None


def read_reply(body: bytes, place: str, key: str) -> Reading:
    """Return what the body of an answer says.

    A body without choices is read too, since it may say what it cost.

    Args:
        body: As it came.
        place: Address of the server, for messages.
        key: What must not be shown.

    Raises:
        ApiBadReply: It is not a JSON object.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiBadReply(
            f"{place}: expected JSON, got {shown_body(body, key)!r}. Does base_url lead to an "
            "OpenAI-compatible server?"
        ) from error
    if not isinstance(content, dict):
        raise ApiBadReply(
            f"{place}: expected a JSON object, got {shown_body(body, key)!r}. Does base_url "
            "lead to an OpenAI-compatible server?"
        )
    usage = _object(content.get("usage"))
    found = content.get("choices")
    choices = tuple(_choice(one) for one in found) if isinstance(found, list) else ()
    return Reading(
        tuple(choice for choice in choices if choice is not None),
        _tokens(usage.get("prompt_tokens")),
        _tokens(usage.get("completion_tokens")),
    )


def shown_body(body: bytes, key: str) -> str:
    """Return how a body begins, without the key."""
    return told(body.decode("utf-8", "replace"), key)


def _choice(content: object) -> Choice | None:
    """Return one answer: of the chat endpoint, which has a message, or of the other one."""
    choice = _object(content)
    message = choice.get("message", {"content": choice.get("text")})
    if not isinstance(message, dict):
        return None
    found = message.get("tool_calls")
    calls = found[:MAX_CALLS] if isinstance(found, list) else []
    return Choice(
        _text(message.get("content")),
        choice.get("finish_reason") != "length",
        tuple(_call(number, one) for number, one in enumerate(calls)),
    )


def _call(number: int, content: object) -> ToolCall:
    call = _object(content)
    function = _object(call.get("function"))
    return ToolCall(
        _text(call.get("id")) or f"call-{number}",
        _text(function.get("name")),
        _text(function.get("arguments")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a text that can be sent back: JSON may hold halves of characters."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _tokens(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS:
        return value
    return None
