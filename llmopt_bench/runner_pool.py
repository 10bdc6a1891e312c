"""The processes of a run: they share out the items, survive what agents do, and leave nothing."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, wait

from llmopt_bench.errors import CompilerError, LlmoptError
from llmopt_bench.record import Record, RecordKey
from llmopt_bench.runner_work import Facts, Item, Job, lost_record, perform

# A process that was killed from outside (a machine short of memory, an operator) did less to
# deserve it than one that crashed.
_ATTEMPTS = 2
_ATTEMPTS_AFTER_KILLS = 6
_KILLS = (-signal.SIGKILL, -signal.SIGTERM)
_GRACE_SECONDS = 5
# Not fork: torch and LLVM hold threads and locks that a forked child cannot use.
_processes = multiprocessing.get_context("spawn")


def records_of(job: Job, items: Sequence[Item], jobs: int) -> Generator[Record, None, None]:
    """Yield the record of every item as it is finished, from ``jobs`` processes.

    An item whose process dies is tried again, and in the end gives a failed record.

    Raises:
        LlmoptError: A program cannot be opened, or no process can be started.
    """
    pool = _Pool(job, items)
    try:
        pool.start(min(jobs, len(items)))
        yield from pool.records()
    finally:
        pool.stop()


class _Worker:
    """A process, and what it is doing."""

    def __init__(self, job: Job) -> None:
        self.connection, theirs = _processes.Pipe()
        self.process = _processes.Process(target=_work, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()  # so that the death of the process is the end of the stream
        self.ready = False
        self.item: Item | None = None
        self.facts: Facts | None = None
        self.since = 0.0

    def assign(self, item: Item | None) -> None:
        """Hand out the next item; None if there is none now."""
        self.item, self.facts, self.since = item, None, time.perf_counter()
        if item is not None:
            # A process that died while idle is noticed by the next read.
            with contextlib.suppress(BrokenPipeError):
                self.connection.send(item)

    def end(self) -> str:
        """Wait for a process whose stream has ended; return how it ended."""
        self.connection.close()
        self.process.join(_GRACE_SECONDS)
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"the worker process was killed by {signal.Signals(-code).name}"
        return f"the worker process ended with exit code {code}"

    def stop(self) -> None:
        """End the process, at once if it is busy."""
        self.connection.close()
        if self.item is not None or not self.ready:
            self.process.terminate()
        self.process.join(_GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Pool:
    """The workers of one run and the items that wait for one."""

    def __init__(self, job: Job, items: Sequence[Item]) -> None:
        self._job = job
        self._waiting = deque(items)
        self._left = len(items)
        self._deaths: dict[RecordKey, int] = {}
        self._workers: list[_Worker] = []
        self._stillborn = 0

    def start(self, count: int) -> None:
        self._workers += [_Worker(self._job) for _ in range(count)]

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def records(self) -> Generator[Record, None, None]:
        """Serve the workers until every item has its record."""
        while self._left:
            by_connection = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection)):
                record = self._serve(by_connection[connection])  # type: ignore[index]
                if record is not None:
                    self._left -= 1
                    yield record

    def _serve(self, worker: _Worker) -> Record | None:
        """Handle one message of a worker; return the record if it is one."""
        try:
            message: Record | Facts | LlmoptError = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._bury(worker)
        if isinstance(message, LlmoptError):
            raise message
        if isinstance(message, Facts):
            worker.facts = message
            return None
        worker.ready, self._stillborn = True, 0
        worker.assign(self._waiting.popleft() if self._waiting else None)
        return message

    def _bury(self, worker: _Worker) -> Record | None:
        """Replace a worker that died; return the record of its item if it is given up."""
        self._workers.remove(worker)
        cause = worker.end()
        killed = worker.process.exitcode in _KILLS
        if not worker.ready and killed and self._stillborn < _ATTEMPTS_AFTER_KILLS:
            self._stillborn += 1
            self.start(1)
            return None
        if not worker.ready:
            raise CompilerError(
                f"{cause} before it could start. Its error is above; a script that calls run() "
                'needs `if __name__ == "__main__":` around the call.'
            )
        self.start(1)
        if worker.item is None:
            return None
        key = self._job.key(worker.item)
        deaths = self._deaths[key] = self._deaths.get(key, 0) + 1
        if deaths < (_ATTEMPTS_AFTER_KILLS if killed else _ATTEMPTS):
            self._waiting.appendleft(worker.item)
            return None
        if worker.facts is None:
            raise CompilerError(
                f"{worker.item.program}: {cause} while it measured the program, before any agent "
                "ran. Leave this program out."
            )
        seconds = time.perf_counter() - worker.since
        return lost_record(self._job, worker.item, worker.facts, cause, seconds)


def _work(connection: Connection, job: Job) -> None:
    """Serve the parent until it closes the connection. This is the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which ends us
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.dup2(2, 1)  # what agents print must not end up in the parent's JSON
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(None)
        while True:
            item = connection.recv()
            try:
                facts = job.facts(item.program)
                connection.send(facts)
                connection.send(perform(job, item, facts))
            except LlmoptError as error:
                connection.send(error)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
