"""Worker processes: what LLVM does happens there, so that it cannot hurt the user's process.

A worker that crashes, hangs or eats memory costs the call that asked for it, which raises
``CompilerCrashed``, ``CompilerTimeout`` or ``CompilerOutOfMemory``. Workers are forked from a
small server process (``_core.serve_forks``) and die with it; it dies with this process, however
this process ends.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from llmopt_bench import _core
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerError,
    CompilerKilled,
    CompilerOutOfMemory,
    CompilerTimeout,
)

Module: TypeAlias = _core.Module | _core.RemoteModule
"""A module in this process or in a worker; the methods are the same."""

_T = TypeVar("_T")

# A worker that somebody killed did nothing wrong. One that is killed again and again is too large
# for the machine.
_ATTEMPTS = 6
_CLOSING_SECONDS = 5

# The interpreter only loads the core; nothing else of this library or of the user comes along.
_SERVER = """
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
loader = ExtensionFileLoader("_core", sys.argv[1])
core = module_from_spec(ModuleSpec("_core", loader, origin=sys.argv[1]))
loader.exec_module(core)
core.serve_forks(int(sys.argv[2]), int(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class Isolation:
    """The limits of a compiler that works in a worker process.

    Args:
        deadline: Seconds that one call of LLVM may take (a step, a pass list); 0 for no limit.
        memory_mib: MiB that the worker may have; 0 for no limit.

    Raises:
        ValueError: One is negative.
    """

    deadline: float = 60.0
    memory_mib: int = 4096

    def __post_init__(self) -> None:
        if not self.deadline >= 0 or self.memory_mib < 0:
            raise ValueError(
                f"expected limits of 0 (none) or more, got deadline={self.deadline}, "
                f"memory_mib={self.memory_mib}."
            )


DEFAULT = Isolation()
"""What sessions and environments use unless told otherwise."""


class Host:
    """Where the modules of some sessions live: in one worker, or in this process.

    Sessions with the same host wait for each other. A worker that has ended is replaced by the
    next ``read``.

    Args:
        isolation: The worker's limits; None for this process.
    """

    def __init__(self, isolation: Isolation | None = DEFAULT) -> None:
        self.isolation = isolation
        self.failures = 0
        """How often LLVM has failed here: errors, crashes, limits; not kills from outside."""
        self._worker: _core.Worker | None = None

    def read(self, data: bytes, name: str) -> Module:
        """Return the module in bitcode or IR text.

        Raises:
            BadProgram: LLVM cannot read it, or it is not valid IR, or LLVM does not survive it.
        """
        isolation = self.isolation
        if isolation is None:
            return _core.Module.read(data, name)
        deadline = isolation.deadline
        try:
            return surviving_kills(
                lambda: _core.RemoteModule.read(self._living_worker(), data, name, deadline)
            )
        except CompilerKilled:
            raise
        except (CompilerCrashed, CompilerTimeout, CompilerOutOfMemory) as error:
            raise BadProgram(
                f"expected a program that LLVM can read, got {name}. {error}"
            ) from error

    def _living_worker(self) -> _core.Worker:
        if self._worker is None or self._worker.worn_out() or not self._worker.alive():
            # Given back first, so that the new one may be a forked twin of nobody in use.
            self._worker = None
            self._worker = _take_worker(self.isolation or DEFAULT)
        return self._worker


def surviving_kills(call: Callable[[], _T]) -> _T:
    """Return what ``call`` returns; call again when its worker was killed from outside."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return call()
        except CompilerKilled:
            continue
    return call()


class _Server:
    """The fork server of this process, started when a worker is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._server: _core.ForkServer | None = None

    def take(self, memory: int) -> _core.Worker:
        with self._lock:
            if self._server is None or not self._server.alive():
                self._bury()
                self._start()
            return self._server.take(memory)  # type: ignore[union-attr]

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            command = [sys.executable, "-I", "-S", "-c", _SERVER, _core.__file__]
            try:
                self._process = subprocess.Popen(
                    [*command, str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # A group of its own: signals from the terminal are for this process.
                    process_group=0,
                )
            except OSError as error:
                raise CompilerError(
                    f"expected to start {sys.executable!r} as the compiler's process, got: "
                    f"{error}. Use isolation=None to compile in this process."
                ) from error
            self._server = _core.ForkServer.connect(ours.detach())

    def _bury(self) -> None:
        """Forget a server that has ended."""
        if self._process is None:
            return
        self.close()
        if (code := self._process.returncode) is not None and code > 0:
            raise CompilerError(
                f"expected the compiler's process to start, got exit code {code}; its error is "
                "above. Use isolation=None to compile in this process."
            )

    def close(self) -> None:
        """End the server and its workers."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._process is not None:
            try:
                self._process.wait(_CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def forget(self) -> None:
        """In a forked child: the server is the parent's, and the lock may be held by nobody."""
        self._lock = threading.Lock()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._process is not None:
            # Nor is it the child's to wait for.
            self._process.returncode = 0
            self._process = None


_server = _Server()
atexit.register(_server.close)
os.register_at_fork(after_in_child=_server.forget)


def _take_worker(isolation: Isolation) -> _core.Worker:
    return _server.take(isolation.memory_mib << 20)
