"""A scripted server of models on loopback, for faults that no real server gives on demand."""

from __future__ import annotations

import importlib
import json
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

KEY = "sk-very-secret-0123456789"

Act = Callable[["Handler"], None]
"""What the server does with one request."""


@dataclass
class Request:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass
class Scripted:
    """A running server: its n-th request gets the n-th act, and the last act goes on for ever."""

    acts: list[Act]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_act(self, request: Request) -> Act:
        with self.lock:
            self.requests.append(request)
            return self.acts[min(len(self.requests), len(self.acts)) - 1]


class Handler(BaseHTTPRequestHandler):
    """One connection; ``script`` is set by ``serve``."""

    protocol_version = "HTTP/1.1"
    script: Scripted
    request_body: dict[str, Any]

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.request_body = json.loads(self.rfile.read(length))
        names = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, names, self.request_body)
        try:
            self.script.next_act(request)(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


JSON = {"Content-Type": "application/json"}


def raw(body: bytes, status: int = 200, **headers: str) -> Act:
    """Answer with these bytes; underscores of header names are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.send(status, body, {**JSON, **named})


def content(value: object, status: int = 200, **headers: str) -> Act:
    """Answer with JSON."""
    return raw(json.dumps(value).encode(), status, **headers)


def failure(status: int, message: str = "no", code: str | None = None, **headers: str) -> Act:
    """Answer with an error, as OpenAI writes it."""
    return content({"error": {"message": message, "code": code}}, status, **headers)


def says(*texts: str, finish: str = "stop", tokens: tuple[int, int] | None = (100, 7)) -> Act:
    """Answer with these choices, as the endpoint that was asked has them."""

    def act(handler: Handler) -> None:
        chat = handler.path.endswith("/chat/completions")
        choices = [
            {"index": number, "finish_reason": finish}
            | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
            for number, text in enumerate(texts)
        ]
        value: dict[str, Any] = {"id": "1", "choices": choices}
        if tokens is not None:
            value["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
        content(value)(handler)

    return act


def calls(*wanted: tuple[str, object]) -> Act:
    """Answer with calls of tools: names, and arguments as text or as what becomes JSON."""
    found = [
        {
            "id": f"id{number}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(given),
            },
        }
        for number, (name, given) in enumerate(wanted)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": found}
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    return content(
        {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage}
    )


def silence(handler: Handler) -> None:
    """Answer nothing until the server closes."""
    handler.script.closing.wait(30)
    handler.close_connection = True


def flood(status: int = 200, piece: bytes = b" " * 65_536, every: float = 0.0) -> Act:
    """Answer with bytes without end, a piece every so many seconds."""

    def act(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not handler.script.closing.wait(every):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.close_connection = True

    return act


def cut(handler: Handler) -> None:
    """Close the connection in the middle of the answer."""
    handler.send(200, b'{"choices": [', {**JSON, "Content-Length": "1000"})
    handler.close_connection = True


@contextmanager
def serve(*acts: Act) -> Iterator[Scripted]:
    """Run a server on a free port of loopback."""
    script = Scripted(list(acts))
    handler = type("ScriptedHandler", (Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        script.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def set_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment hold the key, and nothing else that the client knows."""
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@contextmanager
def opened(script: Scripted, name: str = "m1", **settings: Any) -> Iterator[Any]:
    """Open a model at a server; settings of the server and of the model together."""
    api, client, model = (
        importlib.import_module(f"llmopt_bench.agents.llm.{module}")
        for module in ("api", "api_client", "model")
    )
    of_server = {"base_url", "key_env", "timeout", "retries", "requests_per_minute"}
    server = {"base_url": script.url, "retries": 0, "timeout": 5.0}
    server |= {key: settings.pop(key) for key in of_server & settings.keys()}
    usage = model.Usage()
    with client.Connection(client.Server(**server), name, usage) as connection:
        yield api.ApiModel(connection, api.ApiModelSettings(name, **settings), usage)


def check_no_key(error: BaseException) -> None:
    """Fail if an error shows the key anywhere, its causes and its traceback included."""
    assert KEY not in repr(error)
    assert KEY not in "".join(traceback.format_exception(error))
