"""One server of models: where it is, its key, and requests that end in time and in memory.

The key comes from the environment when a request is made, and goes nowhere but to the server: it
is no setting, so no record holds it, and no error, log or representation shows it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .api_bounds import bounded_client, late
from .api_errors import ApiError, ApiKeyMissing, ApiUnreachable, status_error, told
from .api_pace import asked_wait, shared_limit, wait_before
from .model import Usage

URL_ENV = "OPENAI_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks the protocol of OpenAI, and how patiently it is asked."""

    base_url: str | None = None
    """Address, up to where ``/chat/completions`` begins; None for ``OPENAI_BASE_URL``, or OpenAI.

    Without a user, password, query or fragment, since they may hold a key.
    """
    key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; None for a server without keys."""
    timeout: float = 120.0
    """Seconds for the connection, for the answer to begin, and then for all of it to come."""
    retries: int = 5
    """How often a request is sent again."""
    requests_per_minute: float | None = None
    """Limit for all threads of a process together; None for none."""

    def __post_init__(self) -> None:
        """Check the settings; what is refused is not shown, as it may be a key."""
        if self.base_url is not None:
            check_url(self.base_url, "base_url")
        if self.key_env is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_env):
            raise ValueError(
                "expected the name of an environment variable as key_env, got something else. "
                "Give the name of the variable that holds the key, not the key."
            )
        limit = self.requests_per_minute
        if self.timeout <= 0 or self.retries < 0 or (limit is not None and limit <= 0):
            raise ValueError(
                "expected a timeout and requests_per_minute above 0 and retries of 0 or more, got "
                f"{self.timeout}, {limit} and {self.retries}"
            )

    def url(self) -> str:
        """Return the address, of the settings or of the environment.

        Raises:
            ValueError: That of the environment holds more than an address.
        """
        if self.base_url is not None:
            return self.base_url
        url = os.environ.get(URL_ENV) or DEFAULT_URL
        check_url(url, URL_ENV)
        return url

    def key(self) -> str:
        """Return the key, empty for a server without keys.

        Raises:
            ApiKeyMissing: The environment has none, or none that can stand in a header.
        """
        if self.key_env is None:
            return ""
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise ApiKeyMissing(
                f"expected a key in the environment variable {self.key_env}, got none. Set it, or "
                "set key_env to null for a server without keys."
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise ApiKeyMissing(
                f"expected printable ASCII without blanks in the environment variable "
                f"{self.key_env}, got something else. Correct it."
            )
        return key

    def check_without_key(self, *texts: str) -> None:
        """Check that settings do not hold the key, as far as the environment has one.

        Raises:
            ValueError: One does; the message does not show it.
        """
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if key and any(key in text for text in texts):
            raise ValueError(
                "expected an address and a model without the key in them, got one with it. Leave "
                "the key in the environment."
            )


def check_url(url: str, name: str) -> None:
    """Check that an address is one of HTTP and nothing more.

    Args:
        url: The address.
        name: Where it comes from, for the message.

    Raises:
        ValueError: It is not. The message does not show it, as it may hold a password or a key.
    """
    try:
        parts = urlsplit(url)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
        right = right and re.fullmatch(r"[!-?A-~]+", url) is not None  # no blank, no @
        right = right and (parts.port or 0) >= 0  # raises where it is no number
    except ValueError:
        plain = right = False
    if not (plain and right):
        raise ValueError(
            f"expected http:// or https:// with a host and a path as {name}, and no user, "
            "password, query or fragment, got something else. Keys belong in the environment "
            "variable that key_env names."
        )


class Connection:
    """An open connection to a server; leave it as a context manager to close it.

    Args:
        server: Where to.
        model: Name of the model, for messages.
        usage: Repeated requests are counted here.

    Raises:
        ApiKeyMissing: As ``Server.key``.
        ValueError: As ``Server.url``, or the address holds the key.
        ModuleNotFoundError: The package ``openai`` is not installed.
    """

    def __init__(self, server: Server, model: str, usage: Usage) -> None:
        from openai import OpenAI

        self.place = server.url()
        self.key = server.key()
        server.check_without_key(self.place, model)
        self._server = server
        self._model = model
        self._usage = usage
        limit = server.requests_per_minute
        self._limit = shared_limit(self.place, limit) if limit else None
        self._client = OpenAI(
            api_key=self.key or "none",
            base_url=self.place,
            timeout=server.timeout,
            max_retries=0,
            http_client=bounded_client(self.place, server.timeout),
        )

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def post(self, endpoint: str, body: Mapping[str, Any]) -> bytes:
        """Send a request, again if that may help, and return the body of the answer.

        Args:
            endpoint: ``chat`` or ``completions``.
            body: What to send.

        Raises:
            ApiError: There is no answer; the subclass says why.
        """
        repetition = 0
        while True:
            if self._limit is not None:
                self._limit.wait()
            answer = self._try(endpoint, body)
            if isinstance(answer, bytes):
                return answer
            wait = wait_before(repetition, answer.asked)
            if not answer.error.transient or wait is None or repetition == self._server.retries:
                raise answer.error
            repetition += 1
            self._usage.retries += 1
            time.sleep(wait)

    def _try(self, endpoint: str, body: Mapping[str, Any]) -> bytes | _Failure:
        import httpx2
        import openai

        client: Any = self._client
        resource = client.chat.completions if endpoint == "chat" else client.completions
        try:
            return bytes(resource.with_raw_response.create(**body).http_response.content)
        except ApiError as error:
            return _Failure(error)
        except openai.APIStatusError as error:
            status, content = error.status_code, error.body
            found = status_error(status, content, self.place, self._model, self.key)
            return _Failure(found, asked_wait(error.response.headers))
        except openai.APITimeoutError:
            return _Failure(late(self.place, self._server.timeout))
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            cause = told(error.__cause__ or error, self.key)
            return _Failure(
                ApiUnreachable(
                    f"{self.place}: expected a connection, got {cause!r}. Does a server listen "
                    "there?"
                )
            )


class _Failure(NamedTuple):
    """Why a request failed, and how many seconds the server asked to wait."""

    error: ApiError
    asked: float | None = None
