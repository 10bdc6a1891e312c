"""The items of a run as tasks of a Ray cluster, or of a Ray that is started on this machine."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from llmopt_bench.datasets.optional import optional
from llmopt_bench.errors import CompilerError, LlmoptError, Unavailable, shorten
from llmopt_bench.record import Record, RecordKey
from llmopt_bench.runner_work import Facts, Item, Job, lost_record, perform

BATCH_SECONDS = 5.0
"""How long a task should take: long beside what Ray costs, short beside what a lost node costs."""
_MOST_ITEMS = 64
# Ray does not say who ended a process, and nodes may be taken away. As for killed processes here.
_ATTEMPTS = 6
_POLL_SECONDS = 1.0
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would report to its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # tasks need no accelerator; else Ray warns
}

_Outcome = tuple[Record | LlmoptError, float]
"""What an item gave, and the seconds it took in all."""


class _Shared(NamedTuple):
    """What all tasks need."""

    job: bytes
    """Pickled: each process loads it once, and can say what is wrong with it."""
    path: tuple[str, ...]
    """Where modules of agents are found, as far as the node has these folders."""


class RayExecutor:
    """Runs items on Ray; use it in a ``with`` statement, and give it to ``runner.run``.

    The records are those of a run in local processes, but for times, and for the words in which
    the record of an item whose process dies again and again says so. Only this process writes.
    All nodes need this package, the agents and the datasets.

    Args:
        address: Of a running cluster, as Ray takes it; None to start Ray on this machine, and to
            end it with the ``with`` statement.
        jobs: The most tasks at a time; as many as the cluster has cores if None.
        batch_seconds: About how long one task should take.

    Raises:
        MissingTool: Ray is not installed.
        Unavailable: There is no cluster at the address, or Ray does not start.
    """

    def __init__(
        self,
        address: str | None = None,
        jobs: int | None = None,
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        self._address = address
        self._jobs = jobs
        self._batch_seconds = batch_seconds
        self._ours = False
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)  # read when Ray is imported
        self._ray = optional("ray", "distributed")

    def __enter__(self) -> Self:
        if self._ray.is_initialized():
            return self
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self._address is None:
            # "local", so that a cluster that an environment variable names is not taken.
            options |= {"address": "local", "include_dashboard": False, "num_cpus": self._jobs}
        else:
            options["address"] = self._address
        try:
            self._ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise Unavailable(
                f"expected Ray at {self._address or 'this machine'}: "
                f"{shorten(' '.join(str(error).split()), 200)}. Check the address, or leave it out."
            ) from error
        self._ours = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    def __call__(self, job: Job, items: Sequence[Item]) -> Generator[Record, None, None]:
        """Yield the record of every item as it comes.

        Raises:
            LlmoptError: A program cannot be opened.
        """
        batches = _Batches(self._ray, job, items, self._batch_seconds)
        try:
            while batches.left:
                batches.submit(self._jobs or self._cores())
                yield from batches.collect()
        finally:
            batches.cancel()

    def _cores(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))


class _Batches:
    """The items that wait, those that are under way, and how long items take."""

    def __init__(self, ray: Any, job: Job, items: Sequence[Item], seconds: float) -> None:
        self._ray = ray
        self._job = job
        self._shared = ray.put(_Shared(pickle.dumps(job), tuple(sys.path)))
        # We try again ourselves, item by item, so that one bad item costs its batch only once.
        self._perform = ray.remote(num_cpus=1, max_retries=0)(_perform_all)
        self._measure = ray.remote(num_cpus=1, max_retries=0)(_facts)
        self._waiting = deque(items)
        self._alone: deque[Item] = deque()
        self._flying: dict[Any, list[Item]] = {}
        self._deaths: dict[RecordKey, int] = {}
        self._seconds = seconds
        self._spent: dict[int, tuple[int, float]] = {}
        self.left = len(items)

    def submit(self, cores: int) -> None:
        """Start tasks, so that every core has one and the next one is at hand."""
        while len(self._flying) < 2 * cores and (self._alone or self._waiting):
            batch = [self._alone.popleft()] if self._alone else self._next(cores)
            self._flying[self._perform.remote(self._shared, batch)] = batch

    def collect(self) -> Generator[Record, None, None]:
        """Wait for tasks, and yield the records of those that are finished."""
        ready, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=_POLL_SECONDS)
        for task in ready:
            batch = self._flying.pop(task)
            try:
                outcomes: list[_Outcome] = self._ray.get(task)
            except self._ray.exceptions.RayTaskError:
                raise  # a defect of ours: agents and compilers cannot raise through `perform`
            except self._ray.exceptions.RayError as error:
                yield from self._bury(batch, error)
                continue
            for item, (outcome, seconds) in zip(batch, outcomes, strict=True):
                if isinstance(outcome, LlmoptError):
                    raise outcome
                count, total = self._spent.get(item.agent, (0, 0.0))
                self._spent[item.agent] = count + 1, total + seconds
                self.left -= 1
                yield outcome

    def cancel(self) -> None:
        """End the tasks that are under way."""
        for task in self._flying:
            self._ray.cancel(task, force=True)
        self._flying.clear()

    def _next(self, cores: int) -> list[Item]:
        """Take items for about the seconds of a batch; one alone while their cost is unknown."""
        most = min(_MOST_ITEMS, -(-len(self._waiting) // (2 * cores)))
        batch: list[Item] = []
        expected = 0.0
        while self._waiting and len(batch) < most and expected < self._seconds:
            count, total = self._spent.get(self._waiting[0].agent, (0, 0.0))
            expected += total / count if count else self._seconds
            batch.append(self._waiting.popleft())
        return batch

    def _bury(self, batch: list[Item], error: Exception) -> Generator[Record, None, None]:
        """Put the items of a lost task back; yield the record of one that is given up."""
        if len(batch) > 1:
            self._alone.extend(batch)
            return
        (item,) = batch
        key = self._job.key(item)
        self._deaths[key] = self._deaths.get(key, 0) + 1
        if self._deaths[key] < _ATTEMPTS:
            self._alone.append(item)
            return
        cause = f"the worker process was lost {_ATTEMPTS} times ({type(error).__name__})"
        self.left -= 1
        yield lost_record(self._job, item, self._facts_of(item, cause), cause, 0.0)

    def _facts_of(self, item: Item, cause: str) -> Facts:
        try:
            facts: Facts | LlmoptError = self._ray.get(
                self._measure.remote(self._shared, item.program)
            )
        except self._ray.exceptions.RayError as error:
            raise CompilerError(
                f"{item.program}: {cause}, and again while it measured the program. Leave this "
                "program out."
            ) from error
        if isinstance(facts, LlmoptError):
            raise facts
        return facts


# What follows runs in the processes of Ray. An error of ours comes back as a value, as it is.


def _perform_all(shared: _Shared, items: Sequence[Item]) -> list[_Outcome]:
    return [_timed(shared, item) for item in items]


def _timed(shared: _Shared, item: Item) -> _Outcome:
    started = time.perf_counter()
    try:
        job = _job(shared)
        outcome: Record | LlmoptError = perform(job, item, job.facts(item.program))
    except LlmoptError as error:
        outcome = error
    return outcome, time.perf_counter() - started


def _facts(shared: _Shared, program: str) -> Facts | LlmoptError:
    try:
        return _job(shared).facts(program)
    except LlmoptError as error:
        return error


@lru_cache(maxsize=1)
def _job(shared: _Shared) -> Job:
    sys.path += [folder for folder in shared.path if folder not in sys.path]
    job: Job = pickle.loads(shared.job)
    return job
