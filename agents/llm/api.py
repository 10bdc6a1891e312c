"""A model behind any server that speaks the protocol of OpenAI."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .api_client import Connection
from .api_errors import ApiBadReply
from .api_reply import Choice, Reading, read_reply, shown_body
from .model import Reply, Sampling, Usage
from .prompt_view import Request

LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
_AROUND = 16
"""Tokens that a server may put around a message."""
_AT_ONCE = 32
"""Most replies to one request; servers have limits of their own for that."""


@dataclass(frozen=True, slots=True)
class ApiModelSettings:
    """What has to be known of a model that is elsewhere."""

    name: str
    """What the server calls it."""
    context: int | None = None
    """The most tokens of a request and its answer; None where that is unknown."""
    bytes_per_token: float = 2.0
    """For the estimate of tokens. Tokenizers of large models take 2 to 3 bytes of IR at a time."""
    limit_name: str = "max_tokens"
    """Which of ``LIMIT_NAMES`` the server knows."""
    sends_sampling: bool = True
    """Whether temperature, top_p and seed are sent; some models refuse them."""
    usd_in: float = 0.0
    """Price of a million tokens of requests, in US dollars."""
    usd_out: float = 0.0
    """Price of a million tokens of answers, in US dollars."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise ValueError("expected the name of a model, got none. Set model.")
        if self.limit_name not in LIMIT_NAMES:
            raise ValueError(f"expected one of {LIMIT_NAMES}, got {self.limit_name!r}")
        if self.context is not None and self.context < 1:
            raise ValueError(f"expected a context of 1 token or more, got {self.context}")
        if not (self.bytes_per_token > 0 and self.usd_in >= 0 and self.usd_out >= 0):
            raise ValueError(
                "expected bytes_per_token above 0 and prices of 0 or more, got "
                f"{self.bytes_per_token}, {self.usd_in} and {self.usd_out}"
            )


class ApiModel:
    """Asks a server; see ``Model``.

    Args:
        connection: To the server.
        settings: About the model.
        usage: Where calls, tokens and cost are added up. What a failed request cost is unknown.
    """

    def __init__(self, connection: Connection, settings: ApiModelSettings, usage: Usage) -> None:
        self.usage = usage
        self._connection = connection
        self._settings = settings

    @property
    def context(self) -> int | None:
        """The most tokens of a request and its answer; None where that is unknown."""
        return self._settings.context

    def count(self, request: Request) -> int:
        """Return about how many tokens a request has, rather too many than too few."""
        if isinstance(request, str):
            return self._tokens(request)
        return sum(self._tokens(message.content) + _AROUND for message in request)

    def count_messages(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return about how many tokens the messages of a conversation with tools have."""
        return sum(self._tokens(json.dumps(message)) + _AROUND for message in messages)

    def write(self, request: Request, sampling: Sampling) -> list[Reply]:
        """Return as many replies as ``sampling`` asks for.

        A text goes to the endpoint for completions, messages to that for chats. A server that
        gives fewer replies than asked for, as some do, is asked again for the others.

        Raises:
            ApiError: There is no answer; the subclass says why.
        """
        replies: list[Reply] = []
        while len(replies) < sampling.samples:
            body = self._body(sampling, have=len(replies))
            if isinstance(request, str):
                endpoint, body["prompt"] = "completions", request
            else:
                pairs = [{"role": one.role, "content": one.content} for one in request]
                endpoint, body["messages"] = "chat", pairs
            choices = self._ask(endpoint, body, self.count(request))
            replies += [Reply(choice.text, choice.complete) for choice in choices]
        return replies[: sampling.samples]

    def call(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        sampling: Sampling,
    ) -> Choice:
        """Return the model's answer in a conversation in which it may call functions.

        Args:
            messages: The conversation, in the form of the chat endpoint.
            tools: The functions, in the form of the chat endpoint.
            sampling: How to write; one sample.

        Raises:
            ApiError: There is no answer; the subclass says why.
        """
        body = {**self._body(sampling, have=0), "messages": messages, "tools": tools}
        return self._ask("chat", body, self.count_messages(messages))[0]

    def _body(self, sampling: Sampling, have: int) -> dict[str, Any]:
        """Return how to write, without what about; nothing that only says the default."""
        settings = self._settings
        body: dict[str, Any] = {"model": settings.name, settings.limit_name: sampling.max_tokens}
        missing = min(sampling.samples - have, _AT_ONCE)
        if missing > 1:
            body["n"] = missing
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if not settings.sends_sampling:
            return body
        body["temperature"] = sampling.temperature
        if sampling.temperature > 0:
            body["seed"] = sampling.seed + have
        if sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        return body

    def _ask(self, endpoint: str, body: Mapping[str, Any], tokens: int) -> tuple[Choice, ...]:
        """Return the choices of an answer, one or more; ``tokens`` is the estimate of the body."""
        link = self._connection
        content = link.post(endpoint, body)
        reading = read_reply(content, link.place, link.key)
        self._pay(reading, tokens)
        if not reading.choices:
            raise ApiBadReply(
                f"{link.place}: expected choices, got {shown_body(content, link.key)!r}. Does the "
                "server support the endpoint?"
            )
        return reading.choices

    def _pay(self, reading: Reading, tokens: int) -> None:
        """Note what an answer cost; what the server does not say is estimated."""
        settings, usage = self._settings, self.usage
        written = sum(self._tokens(choice.text) for choice in reading.choices)
        tokens_in = tokens if reading.tokens_in is None else reading.tokens_in
        tokens_out = written if reading.tokens_out is None else reading.tokens_out
        usage.calls += 1
        usage.tokens_in += tokens_in
        usage.tokens_out += tokens_out
        usage.cost_usd += (tokens_in * settings.usd_in + tokens_out * settings.usd_out) / 1e6

    def _tokens(self, text: str) -> int:
        size = len(text.encode("utf-8", "replace"))
        return math.ceil(size / self._settings.bytes_per_token)
