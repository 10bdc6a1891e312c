"""The process in which the real CompilerGym works: a script for CPython 3.8 to 3.10.

It runs in CompilerGym's interpreter, so it must not import this library, nor use anything newer
than Python 3.8. Standard input and output carry messages: each is a header of 16 bytes (``MAGIC``,
the lengths of the two parts as big-endian 32 and 64 bit), a JSON object, and raw bytes. A request
names an ``op`` and its arguments; the answer has ``ok``, or ``error`` with the name of one of this
library's errors, ``text``, and ``lost``: whether the process is of no use any more.

=============  ============================================  ================================
op             arguments                                     answer
=============  ============================================  ================================
hello                                                        versions; names of actions,
                                                             observations and rewards
load           uri                                           bitcode, as the raw bytes
open           name; bitcode, as the raw bytes               number of a new session
apply          session, actions (numbers), observations      changed, values of observations
reset          session                                       nothing
observation    session, name                                 value
reward         session, name                                 value: of all that was applied
fork           session                                       number of a new session
=============  ============================================  ================================

Every request may have ``close``: numbers of sessions that are no longer needed. A value is JSON,
or ``{"dtype", "shape"}`` of an array whose data are the raw bytes.

When standard input ends, so that nobody asks any more, the process ends itself and CompilerGym's
service, and removes the folder of temporary files that its one argument names.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import resource
import signal
import struct
import subprocess
import sys
import threading
from copy import deepcopy
from typing import Any, BinaryIO, Dict, List, Optional, Tuple  # noqa: UP035  (Python 3.8)

MAGIC = b"LBCG"
HEADER = struct.Struct(">4sIQ")

_Answer = Tuple[Any, bytes]  # noqa: UP006
_Names = List[str]  # noqa: UP006
_Numbers = List[int]  # noqa: UP006
_Request = Tuple[Dict[str, Any], bytes]  # noqa: UP006

# The other side keeps the time, and ends this process when it is up.
_FOREVER = 1e6
_services: List[subprocess.Popen[bytes]] = []  # noqa: UP006


class Failure(Exception):
    """What is told to the other side as an error, by the name of one of its errors."""

    def __init__(self, name: str, text: object, lost: bool = True) -> None:
        super().__init__(" ".join(str(text).split()))
        self.name, self.lost = name, lost


class Worker:
    """CompilerGym, its one service process, and the sessions in it."""

    def __init__(self) -> None:
        self.gym = importlib.import_module("compiler_gym")
        # A benchmark must be named, or CompilerGym downloads one.
        self.first = self.gym.make("llvm-v0", benchmark=self._benchmark("none", b""))
        self.service = self.first.service
        self.process = self.service.connection.process
        _services.append(self.process)
        self.free = [self.first]
        self.sessions: Dict[int, Any] = {}  # noqa: UP006
        self.count = 0

    def answer(self, request: Dict[str, Any], data: bytes) -> _Answer:  # noqa: UP006
        """Return the answer to a request: a JSON value and raw bytes."""
        for number in request.pop("close", ()):
            # Not closed: with its last session, CompilerGym ends the service.
            self.free.append(self.sessions.pop(number))
        operation = getattr(self, "do_" + request.pop("op"))
        try:
            value, raw = operation(data=data, **request)
        except (self.gym.errors.ServiceError, TimeoutError) as error:
            raise self._failure(type(error).__name__, error) from error
        if self.process.poll() is not None:
            # A reset has started another service, which knows nothing of the other sessions.
            raise self._failure("", "the service has ended")
        return value, raw

    def do_hello(self, data: bytes) -> _Answer:
        """Tell versions and names."""
        facts = {
            "compiler_gym": self.first.version,
            "llvm": self.first.compiler_version,
            "clang": _clang(),
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "actions": list(self.first.action_space.names),
            "observations": sorted(self.first.observation.spaces),
            "rewards": sorted(self.first.reward.spaces),
        }
        return facts, b""

    def do_load(self, data: bytes, uri: str) -> _Answer:
        """Give the bitcode of a program of CompilerGym's datasets."""
        try:
            program = self.first.datasets.benchmark(uri).proto.program
        except LookupError as error:
            raise Failure("UnknownProgram", error, lost=False) from error
        except Exception as error:  # whatever a download or a generator raises
            raise Failure("Unavailable", f"{type(error).__name__}: {error}", False) from error
        if program.contents:
            return None, program.contents
        with open(program.uri[len("file://") :], "rb") as stream:  # noqa: PTH123
            return None, stream.read()

    def do_open(self, data: bytes, name: str) -> _Answer:
        """Start a session on a program."""
        env = self.free.pop() if self.free else self._more()
        try:
            env.reset(benchmark=self._benchmark(name, data), timeout=_FOREVER)
        except ValueError as error:
            raise Failure("BadProgram", error) from error
        except OSError as error:
            raise self._failure(type(error).__name__, error) from error
        return self._note(env), b""

    def do_apply(
        self, data: bytes, session: int, actions: _Numbers, observations: _Names
    ) -> _Answer:
        """Apply actions, and tell observations of the result."""
        values, _, done, info = self.sessions[session].multistep(
            actions, observation_spaces=observations, reward_spaces=[], timeout=_FOREVER
        )
        if done:
            raise self._failure(info["error_type"], info["error_details"])
        # Asked for nothing, CompilerGym gives None.
        plain = [_plain(value) for value in values or ()]
        answer = {
            "changed": not info["action_had_no_effect"],
            "values": [value for value, _ in plain],
        }
        return answer, b"".join(raw for _, raw in plain)

    def do_reset(self, data: bytes, session: int) -> _Answer:
        """Go back to the program as it was."""
        self.sessions[session].reset(timeout=_FOREVER)
        return None, b""

    def do_observation(self, data: bytes, session: int, name: str) -> _Answer:
        """Tell an observation."""
        return _plain(self.sessions[session].observation[name])

    def do_reward(self, data: bytes, session: int, name: str) -> _Answer:
        """Tell the reward of everything that was applied."""
        env = self.sessions[session]
        # A copy, from the start: CompilerGym's own remembers when it was last asked.
        space = deepcopy(env.reward.spaces[name])
        space.reset(benchmark=env.benchmark, observation_view=env.observation)
        costs = [env.observation[part] for part in space.observation_spaces]
        return float(space.update([], costs, env.observation)), b""

    def do_fork(self, data: bytes, session: int) -> _Answer:
        """Start a session that is CompilerGym's copy of another."""
        return self._note(self.sessions[session].fork()), b""

    def _benchmark(self, name: str, data: bytes) -> Any:
        uri = "benchmark://llmopt-v0/" + name
        return self.gym.datasets.Benchmark.from_file_contents(uri, data)

    def _note(self, env: Any) -> int:
        self.count += 1
        self.sessions[self.count] = env
        return self.count

    def _more(self) -> Any:
        """Return one more environment of the service that is there."""
        nothing = self._benchmark("none", b"")
        return self.gym.make("llvm-v0", benchmark=nothing, service_connection=self.service)

    def _failure(self, kind: str, details: object) -> Failure:
        """Return what an error of the service means."""
        code = self.process.poll()
        if code == -signal.SIGKILL:
            return Failure("CompilerKilled", details)
        if code is not None or kind in ("ServiceTransportError", "ServiceIsClosed"):
            return Failure("CompilerCrashed", details)
        return Failure("CompilerError", details)


def _clang() -> str:
    """Return the version of the clang that measures machine code."""
    path = importlib.import_module("compiler_gym.third_party.llvm").clang_path()
    try:
        said = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"none: {error}"
    return said.stdout.split("\n")[0]


def _plain(value: Any) -> _Answer:
    """Return a value of CompilerGym as JSON and raw bytes."""
    if hasattr(value, "dtype") and value.shape:
        return {"dtype": value.dtype.str, "shape": list(value.shape)}, value.tobytes()
    if hasattr(value, "adjacency"):  # a graph of networkx
        return importlib.import_module("networkx").node_link_data(value), b""
    return value, b""


def _plain_part(value: Any) -> Any:
    """Return what JSON cannot hold as something that it can."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def read(stream: BinaryIO) -> Optional[_Request]:  # noqa: UP045
    """Return the next message; None at the end."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    _, text, data = HEADER.unpack(header)
    return json.loads(stream.read(text)), stream.read(data)


def write(stream: BinaryIO, content: object, data: bytes = b"") -> None:
    """Write a message."""
    text = json.dumps(content, default=_plain_part).encode()
    stream.write(HEADER.pack(MAGIC, len(text), len(data)) + text + data)
    stream.flush()


def _listen(stream: BinaryIO, requests: queue.Queue[_Request], scratch: str) -> None:
    """Put the requests into a queue; when there are no more, end everything at once."""
    # It may be gone with an answer that it has not read, which is an error here.
    with contextlib.suppress(OSError):
        while (message := read(stream)) is not None:
            requests.put(message)
    for process in _services:
        process.kill()
        process.wait()  # nobody else may do so, and it would stay as a zombie
    # Not by this process: a service that is just starting writes until the last line.
    command = ["sh", "-c", 'sleep 0.2; rm -rf -- "$1"', "sh", scratch]
    subprocess.Popen(command, start_new_session=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(scratch: str, memory: int) -> None:
    """Answer requests until there are no more.

    Args:
        scratch: The folder of CompilerGym's temporary files.
        memory: Bytes of data that this process and the service may each have; 0 for no limit.
    """
    requests: queue.Queue[_Request] = queue.Queue()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What CompilerGym and the programs that it starts print, or want to read, is no message.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    listener = threading.Thread(target=_listen, args=(source, requests, scratch), daemon=True)
    listener.start()
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    worker = None
    while True:
        request, data = requests.get()
        answer: object
        raw = b""
        try:
            if worker is None:
                worker = Worker()
            value, raw = worker.answer(request, data)
            answer = {"ok": value}
        except Failure as failure:
            answer = {"error": failure.name, "text": str(failure), "lost": failure.lost}
        except Exception as error:  # whatever a package of another time raises
            name = "NoCompilerGym" if worker is None else "CompilerCrashed"
            answer = {"error": name, "text": f"{type(error).__name__}: {error}", "lost": True}
        try:
            write(sink, answer, raw)
        except OSError:
            listener.join()  # which ends this process


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
