"""The order of a run: all first answers, then the second phases of the agents that have one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from llmopt_bench.errors import BadStore
from llmopt_bench.record import Record, RecordKey, RecordWriter
from llmopt_bench.run_store import Phase, RunStore
from llmopt_bench.runner_work import Item, Job

Progress = Callable[[int, int, Record | None], None]
"""Called with the number of finished items, of all items, and the record that just came."""

Executor = Callable[[Job, Sequence[Item]], Generator[Record, None, None]]
"""Yields the record of every item, in any order, as each is finished."""


def items_of(job: Job, programs: Sequence[str]) -> list[Item]:
    """Return all items of a run, program by program, so that caches serve all agents on it."""
    return [
        Item(agent, program, repetition)
        for program in programs
        for repetition in range(job.task.repetitions)
        for agent in range(len(job.agents))
    ]


class Phases:
    """What is still to do in a run, and where what is done goes.

    Args:
        job: The job.
        programs: All programs of the run.
        writer: Takes the records.
        store: Takes the answers of first phases; None if no agent has a second.
        answered: The records of ``writer`` with an answer.

    Raises:
        BadStore: The store is not that of these records, or of other programs.
    """

    def __init__(
        self,
        job: Job,
        programs: Sequence[str],
        writer: RecordWriter,
        store: RunStore | None,
        answered: Collection[RecordKey] = (),
    ) -> None:
        self._job = job
        self._programs = programs
        self._writer = writer
        self._store = store
        self._twice = {i for i, agent in enumerate(job.agents) if agent.has_broadcast}
        self._todo = [i for i in items_of(job, programs) if job.key(i) not in writer.keys]
        if store is not None:
            self._check_store(store, answered)

    def run(self, execute: Executor, progress: Progress | None) -> None:
        """Do what is to do."""
        known = self._store.keys if self._store else frozenset()
        first = [item for item in self._todo if self._job.key(item) not in known]
        second = sum(item.agent in self._twice for item in self._todo)
        done, total = 0, len(first) + second
        if progress:
            progress(done, total, None)
        for records in (self._first(execute, first), self._second(execute)):
            with closing(records):
                for steps, record in records:
                    done += steps
                    if progress:
                        progress(done, total, record)

    def _first(
        self, execute: Executor, items: Sequence[Item]
    ) -> Generator[tuple[int, Record], None, None]:
        """Yield each record, with the number of items that are finished with it."""
        names = {self._job.agents[agent].info.name for agent in self._twice}
        with closing(execute(self._job, items)) as records:
            for record in records:
                goes_on = record.agent in names and record.status == "ok"
                if goes_on and self._store:
                    self._store.add_first(record)
                else:
                    self._writer.write(record)
                # An agent that failed has no second phase.
                yield 1 if goes_on or record.agent not in names else 2, record

    def _second(self, execute: Executor) -> Generator[tuple[int, Record], None, None]:
        if self._store is None:
            return
        lists = {place: self._store.lists(phase, self._programs) for place, phase in self._phases()}
        firsts = {record.key: record for record in self._store.firsts()}
        items = [
            item._replace(first=firsts[key])
            for item in self._todo
            if (key := self._job.key(item)) in firsts
        ]
        with closing(execute(replace(self._job, lists=lists), items)) as records:
            for record in records:
                self._writer.write(record)
                yield 1, record

    def _phases(self) -> Iterator[tuple[tuple[int, int], Phase]]:
        for agent in sorted(self._twice):
            info = self._job.agents[agent].info
            for repetition in range(self._job.task.repetitions):
                yield (agent, repetition), Phase(info.name, info.version, repetition)

    def _check_store(self, store: RunStore, answered: Collection[RecordKey]) -> None:
        for _, phase in self._phases():
            store.check_programs(phase, self._programs)
        # An agent that failed in its first phase has a record and is not in the store.
        lost = set(answered) - store.keys
        for agent in self._twice:
            info = self._job.agents[agent].info
            for key in lost:
                if (key.agent, key.agent_version) == (info.name, info.version):
                    raise BadStore(
                        f"cannot resume: {store.path} lacks the first answer of {key.agent} on "
                        f"{key.program}, which has a record. Put the store of this run back, or "
                        "use another folder."
                    )
