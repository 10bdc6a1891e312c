"""A process of CompilerGym, and what may go wrong with it.

``compiler_gym_worker`` says what is asked and answered. A process that crashes, hangs or talks
nonsense is ended together with CompilerGym's service, and the call raises; nothing of it outlives
this process, however this process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from llmopt_bench import compiler_gym_worker as protocol
from llmopt_bench.compiler_gym_place import SETUP, Place, compiler_gym_place
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerError,
    CompilerKilled,
    CompilerOutOfMemory,
    CompilerTimeout,
    LlmoptError,
    NoCompilerGym,
    Unavailable,
    UnknownName,
    UnknownProgram,
    shorten,
)

START_SECONDS = 60.0
"""How long a process may take to start; it takes one second on an idle machine."""

_CLOSING_SECONDS = 2.0
_MAX_BYTES = 1 << 31
_TOLD = {
    error.__name__: error
    for error in (
        BadProgram,
        CompilerCrashed,
        CompilerError,
        CompilerKilled,
        CompilerTimeout,
        NoCompilerGym,
        Unavailable,
        UnknownName,
        UnknownProgram,
    )
}
_NO_MEMORY = ("bad_alloc", "out of memory", "Cannot allocate memory", "MemoryError")
_processes: weakref.WeakSet[CompilerGymProcess] = weakref.WeakSet()


class CompilerGymProcess:
    """A process in CompilerGym's interpreter, with CompilerGym's service as its child.

    Threads may share one; their calls wait for each other.

    Args:
        memory_mib: MiB of data that the process and its service may each have; 0 for no limit.

    Raises:
        NoCompilerGym: It is not set up, or does not start.
    """

    def __init__(self, memory_mib: int = 0) -> None:
        self._lock = threading.Lock()
        self._garbage: list[int] = []
        place = compiler_gym_place()
        self.kind = (place.python, memory_mib)
        """What makes it as good as another."""
        self._scratch = Path(tempfile.mkdtemp(prefix="llmopt-compiler-gym-"))
        self._socket, theirs = socket.socketpair()
        try:
            self._process = _start(place, self._scratch, theirs, memory_mib)
        except NoCompilerGym:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._finalizer = weakref.finalize(self, _end, self._process, self._socket, self._scratch)
        _processes.add(self)
        self.facts: dict[str, Any] = {}
        """What ``hello`` answers: versions and names."""
        try:
            self.facts, _ = self.call("hello", START_SECONDS)
        except (CompilerError, NoCompilerGym) as error:
            raise NoCompilerGym(
                f"expected {place.python}, named by {place.origin}, to start CompilerGym, got: "
                f"{error} Run `{SETUP} --force`."
            ) from error

    @property
    def usable(self) -> bool:
        """Whether it is there, and this process has not been forked off from the one it serves."""
        return self._finalizer.alive

    def call(
        self, op: str, deadline: float, data: bytes = b"", **arguments: Any
    ) -> tuple[Any, bytes]:
        """Return the answer to a request: a value and raw bytes.

        Args:
            op: What to do.
            deadline: Seconds that it may take; 0 for no limit.
            data: Raw bytes that go with the request.
            **arguments: The arguments of ``op``.

        Raises:
            CompilerCrashed, CompilerKilled, CompilerTimeout, CompilerOutOfMemory: What these names
                say; the process is gone.
            CompilerError, BadProgram: What the service told; the process is gone as well.
            UnknownName, UnknownProgram, Unavailable: As CompilerGym told.
        """
        with self._lock:
            if not self.usable:
                raise CompilerKilled("the CompilerGym process of this session is gone.")
            garbage, self._garbage = self._garbage, []
            request = {"op": op, "close": garbage, **arguments}
            try:
                answer, raw = self._exchange(request, data, deadline)
            except _Broken as error:
                raise self._lose(error, op, deadline) from error
            except BaseException:  # Ctrl-C: an answer that comes later would be taken for another
                self.close()
                raise
            if "error" not in answer:
                return answer.get("ok"), raw
            told = self._told(answer)
            if answer.get("lost", True):
                self.close()
            raise told

    def forget(self, session: int) -> None:
        """Have a session closed by the next call; may be called at any time by any thread."""
        self._garbage.append(session)

    def close(self) -> None:
        """End the process and its service, and remove their files. Closing twice is fine."""
        self._finalizer()

    def abandon(self) -> None:
        """In a forked child: the process is the parent's."""
        self._finalizer.detach()
        self._socket.close()
        self._lock = threading.Lock()  # which a thread of the parent may have held

    def _exchange(
        self, request: dict[str, Any], data: bytes, deadline: float
    ) -> tuple[dict[str, Any], bytes]:
        clock = _Clock(deadline)
        text = json.dumps(request).encode()
        header = protocol.HEADER.pack(protocol.MAGIC, len(text), len(data))
        try:
            self._socket.settimeout(clock.left())
            self._socket.sendall(header + text + data)
            magic, texts, raws = protocol.HEADER.unpack(self._read(protocol.HEADER.size, clock))
            if magic != protocol.MAGIC or texts + raws > _MAX_BYTES:
                raise _Broken("something that is no message")
            answer = json.loads(self._read(texts, clock))
            raw = self._read(raws, clock)
        except TimeoutError as error:
            raise _Late from error
        except OSError as error:
            raise _Ended from error
        except ValueError as error:
            raise _Broken("a message that is not JSON") from error
        if not isinstance(answer, dict):
            raise _Broken("an answer that is no object")
        return answer, raw

    def _read(self, size: int, clock: _Clock) -> bytes:
        parts = []
        while size:
            self._socket.settimeout(clock.left())
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                raise _Ended
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _lose(self, error: _Broken, op: str, deadline: float) -> CompilerError:
        """End the process and return what a broken conversation with it means."""
        said = self._last_words()
        self.close()
        if isinstance(error, _Late):
            return CompilerTimeout(
                f"CompilerGym was not done with {op} within {deadline:g} seconds. Leave out the "
                "last pass, or allow more time."
            )
        if not isinstance(error, _Ended):
            return CompilerCrashed(f"expected an answer of CompilerGym, got {error}.{said}")
        if self._process.returncode == -signal.SIGKILL:
            return CompilerKilled(f"the process of CompilerGym was killed from outside.{said}")
        return _crash(f"CompilerGym ended with code {self._process.returncode} at {op}.{said}")

    def _told(self, answer: dict[str, Any]) -> LlmoptError:
        kind = _TOLD.get(answer["error"], CompilerCrashed)
        text = f"CompilerGym: {shorten(str(answer.get('text')), 500)}"
        if kind is CompilerCrashed:
            return _crash(text + self._last_words())
        return kind(text)

    def _last_words(self) -> str:
        try:
            said = (self._scratch / "stderr.txt").read_text("utf-8", "replace").split("\n")
        except OSError:
            return ""
        last = [line.strip() for line in said if line.strip()][-1:]
        return f" It said: {shorten(last[0], 300)}" if last else ""


class _Clock:
    """What is left of a deadline; without one, None."""

    def __init__(self, deadline: float) -> None:
        self._end = time.monotonic() + deadline if deadline else None

    def left(self) -> float | None:
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Broken(Exception):
    """The other side does not answer as it should."""


class _Late(_Broken):
    """There is no answer in time."""


class _Ended(_Broken):
    """The other side is gone."""


def _start(
    place: Place, scratch: Path, channel: socket.socket, memory_mib: int
) -> subprocess.Popen[bytes]:
    command = [str(place.python), "-I", protocol.__file__, str(scratch), str(memory_mib << 20)]
    # Its files are in memory, or on the disk, until somebody removes them; this folder is ours.
    variables = os.environ | place.variables | {"COMPILER_GYM_TRANSIENT_CACHE": str(scratch)}
    with (scratch / "stderr.txt").open("wb") as said:
        try:
            return subprocess.Popen(
                command,
                stdin=channel.fileno(),
                stdout=channel.fileno(),
                stderr=said,
                env=variables,
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise NoCompilerGym(
                f"expected to start {place.python}, named by {place.origin}, got: {error}. Run "
                f"`{SETUP} --force`."
            ) from error


def _end(process: subprocess.Popen[bytes], channel: socket.socket, scratch: Path) -> None:
    channel.close()  # it ends its service and itself then
    end = time.monotonic() + _CLOSING_SECONDS
    # Not reaped yet, so that the number stays that of our group.
    gone = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, gone) is None and time.monotonic() < end:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(scratch, ignore_errors=True)


def _crash(text: str) -> CompilerError:
    if any(sign in text for sign in _NO_MEMORY):
        return CompilerOutOfMemory(text)
    return CompilerCrashed(text)


def _abandon_all() -> None:
    for process in list(_processes):
        process.abandon()


os.register_at_fork(after_in_child=_abandon_all)
