"""One unit of work of the runner: one agent, on one program, once. It runs in a worker process."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from llmopt_bench.action_set import make_action_set
from llmopt_bench.agent import LoadedAgent
from llmopt_bench.backend import compiler_facts
from llmopt_bench.budget import Meter
from llmopt_bench.build import build_info
from llmopt_bench.datasets import load_program
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.errors import BadAgent, BadRecord
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.passes import ActionSet, PassList
from llmopt_bench.program import Program
from llmopt_bench.record import Record, RecordKey
from llmopt_bench.session import Session
from llmopt_bench.task import Task
from llmopt_bench.verify import settle

_LONGEST_ERROR = 500


class Item(NamedTuple):
    """What to run."""

    agent: int
    """Position in the job's agents."""
    program: str
    repetition: int
    first: Record | None = None
    """What the agent's first phase gave, if this is its second."""


class Facts(NamedTuple):
    """What a record says about the program, whoever ran on it."""

    program_sha256: str
    initial: int
    oz: int


class Spent(NamedTuple):
    """What a run cost."""

    compilations: int
    passes: int
    seconds: float
    usage: dict[str, int | float]
    curve: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Job:
    """What all items of a run have in common."""

    task: Task
    agents: tuple[LoadedAgent, ...]
    budget: int
    seed: int
    isolation: Isolation | None = DEFAULT
    lists: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    """The pass lists for second phases, by position of the agent and repetition."""

    @cached_property
    def broadcast_lists(self) -> dict[tuple[int, int], tuple[PassList, ...]]:
        """The ``lists`` as pass lists."""
        return {
            phase: tuple(PassList.parse(text, self.action_set) for text in texts)
            for phase, texts in self.lists.items()
        }

    @cached_property
    def action_set(self) -> ActionSet:
        """The action set of the task."""
        return make_action_set(self.task.action_set)

    @cached_property
    def build(self) -> dict[str, str]:
        """Facts of this installation, and of the compiler that the task means."""
        return build_info() | compiler_facts(self.action_set)

    def key(self, item: Item) -> RecordKey:
        """Return the key of the record that an item will give."""
        info = self.agents[item.agent].info
        place = (item.program, self.budget, self.seed, item.repetition)
        return RecordKey(self.task.name, info.name, info.version, *place)

    def facts(self, uri: str) -> Facts:
        """Return the facts about a program."""
        program = _load(uri)
        session = Session(
            program,
            metric=self.task.metric,
            action_set=self.action_set,
            isolation=self.isolation,
        )
        return Facts(program.sha256, session.initial(), session.reference("Oz"))


def derived_seed(seed: int, program: str, repetition: int, phase: str = "") -> int:
    """Return the seed of one run: of no other, and independent of order and parallelism."""
    text = f"{seed}\n{program}\n{repetition}{phase}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def perform(job: Job, item: Item, facts: Facts) -> Record:
    """Run an agent on a program, replay its answer, and return the record.

    Whatever the agent does, the outcome is a record; it has failed if the agent raised, or if
    its answer is not a pass list or does not survive the replay. The record of a second phase is
    that of both phases.
    """
    agent = job.agents[item.agent]
    program = _load(item.program)
    env = _environment(job, item, program)
    curve = env.curve  # an agent may go on to other programs, which have curves of their own
    usage: dict[str, int | float] = {}
    earlier = _usage_of(agent)
    started = time.perf_counter()
    try:
        answer = _answer(job, agent, item, env)
        seconds = time.perf_counter() - started
        usage = agent.usage
        outcome = _outcome(job, program, answer)
    except Exception as error:  # an agent is foreign code, and may raise anything
        seconds = time.perf_counter() - started
        outcome = _failure(describe(error))
        # What was paid until then; an agent that failed at once still tells of its run before.
        usage = usage or {k: v for k, v in _usage_of(agent).items() if earlier.get(k) != v}
    finally:
        env.close()
    if env.compiler_failures:
        usage = {**usage, "compiler_failures": env.compiler_failures}
    meter = env.meter
    spent = Spent(meter.compilations, meter.passes, seconds, usage, curve.points)
    try:
        return _record(job, item, facts, outcome, spent)
    except BadRecord as error:  # the agent reports a usage that no record can hold
        bare = spent._replace(usage={}, curve=())
        return _record(job, item, facts, _failure(describe(error)), bare)


def _usage_of(agent: LoadedAgent) -> dict[str, int | float]:
    """Return what an agent says that it used; nothing if it cannot tell."""
    try:
        return agent.usage
    except BadAgent:  # told where the answer is taken
        return {}


def _environment(job: Job, item: Item, program: Program) -> PassOrderEnv:
    """Return the environment of an item, whose account goes on where the first phase stopped."""
    meter = Meter(job.budget)
    env = PassOrderEnv(
        program,
        metric=job.task.metric,
        action_set=job.action_set,
        meter=meter,
        isolation=job.isolation,
    )
    phase = "" if item.first is None else "\nbroadcast"
    env.reset(seed=derived_seed(job.seed, item.program, item.repetition, phase))
    if item.first is not None:
        meter.spend(item.first.additional_compilations, item.first.passes_applied)
        for point in item.first.curve:
            env.curve.note(*point)
    return env


def _answer(job: Job, agent: LoadedAgent, item: Item, env: PassOrderEnv) -> PassList:
    if item.first is None:
        return agent.run(env)
    best = PassList.parse(item.first.pass_list, job.action_set)
    return agent.broadcast(env, best, job.broadcast_lists[item.agent, item.repetition])


def lost_record(job: Job, item: Item, facts: Facts, cause: str, seconds: float) -> Record:
    """Return the record of a run whose process was lost, and with it the account.

    What it had spent is unknown, so it is charged the whole budget: never too little.
    """
    error = f"{cause}; what it spent is lost, so the whole budget is charged"
    passes = item.first.passes_applied if item.first else 0
    return _record(job, item, facts, _failure(error), Spent(job.budget, passes, seconds, {}))


def describe(error: BaseException) -> str:
    """Return an exception as one line: class, message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:_LONGEST_ERROR] + place


def _outcome(job: Job, program: Program, answer: PassList) -> dict[str, Any]:
    answer, session = settle(program, answer, metric=job.task.metric, isolation=job.isolation)
    return {
        "status": "ok",
        "pass_list": answer.compact,
        "new": session.measure(),
        "module_sha256": session.content_hash(),
    }


def _failure(error: str) -> dict[str, Any]:
    return {"status": "failed", "pass_list": "", "error": error}


def _record(job: Job, item: Item, facts: Facts, outcome: dict[str, Any], spent: Spent) -> Record:
    info = job.agents[item.agent].info
    seconds, usage = spent.seconds, spent.usage
    if item.first is not None:
        seconds += item.first.wall_seconds
        usage = _sum(item.first.usage, usage)
    return Record(
        **job.key(item)._asdict(),
        task_sha256=job.task.sha256,
        program_sha256=facts.program_sha256,
        agent_settings=dict(info.settings),
        action_set=job.action_set.name,
        action_set_sha256=job.action_set.sha256,
        metric=job.task.metric,
        initial=facts.initial,
        oz=facts.oz,
        additional_compilations=spent.compilations,
        passes_applied=spent.passes,
        curve=spent.curve,
        wall_seconds=round(seconds, 6),
        usage=usage,
        llvm_version=job.build["llvm_version"],
        package_version=job.build["llmopt_bench"],
        trained_on=info.trained_on,
        build=job.build,
        **outcome,
    )


def _sum(
    first: Mapping[str, int | float], second: Mapping[str, int | float]
) -> dict[str, int | float]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


@lru_cache(maxsize=4)
def _load(uri: str) -> Program:
    return load_program(uri)
