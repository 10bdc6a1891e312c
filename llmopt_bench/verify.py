"""Replay: what an answer really does, in a fresh session, and whether records say the truth."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from llmopt_bench.action_set import make_action_set
from llmopt_bench.backend import backend_of
from llmopt_bench.datasets import expected_of, load_program
from llmopt_bench.errors import BadProgram, InvalidModule, LlmoptError, MissingTool
from llmopt_bench.execution import Expected, execute, require_native
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.passes import PassList
from llmopt_bench.process_map import in_processes
from llmopt_bench.program import Program
from llmopt_bench.record import Record
from llmopt_bench.session import Session

_GROUP = 64
"""The most records of one program that one process takes at once."""

_LAST = {"llvm": "always-inline", "compiler_gym": "-always-inline"}
"""What an answer of each backend has to end as; see ``settle``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One record that does not hold, and why."""

    record: Record
    problem: str

    def __str__(self) -> str:
        r = self.record
        return f"{r.agent} on {r.program}, seed {r.seed}, repetition {r.repetition}: {self.problem}"


def replay(
    program: Program,
    pass_list: PassList,
    *,
    metric: str = "instruction_count",
    isolation: Isolation | None = DEFAULT,
) -> Session:
    """Return a fresh session that holds what ``pass_list`` makes of ``program``.

    Raises:
        InvalidModule: The result does not pass LLVM's verifier, or other modules see other
            definitions than before, so that it is no longer the same program to a linker.
        CompilerError: LLVM reported an error.
    """
    session = Session(program, metric=metric, action_set=pass_list.action_set, isolation=isolation)
    before = session.external_definitions()
    if pass_list:
        session.apply(pass_list)
    session.verify()
    if (after := session.external_definitions()) != before:
        changed = sorted(set(before).symmetric_difference(after))
        raise InvalidModule(
            f"{program.uri}: expected the same external definitions after the passes as before, "
            f"got a difference in {', '.join(changed[:5])}. Leave out the pass that does this."
        )
    return session


def settle(
    program: Program,
    answer: PassList,
    *,
    metric: str = "instruction_count",
    isolation: Isolation | None = DEFAULT,
) -> tuple[PassList, Session]:
    """Return what an answer counts as, and a fresh session that holds its result.

    That is the answer itself, unless it leaves calls of ``always_inline`` functions. clang inlines
    those at every level, so leaving them is not a better order of passes: such an answer counts
    with ``always-inline`` at its end (docs/action-set.md, finding 2).

    Raises:
        InvalidModule, CompilerError: As ``replay``.
    """
    session = replay(program, answer, metric=metric, isolation=isolation)
    # A pass that changes nothing leaves the session as the answer made it.
    last = _LAST[backend_of(answer.action_set)]
    if not session.apply(last):
        return answer, session
    complete = PassList([*answer, last], answer.action_set)
    return complete, replay(program, complete, metric=metric, isolation=isolation)


def verify_records(
    records: Iterable[Record],
    progress: Callable[[Record], None] | None = None,
    *,
    run_programs: bool = True,
    warn: Callable[[str], object] = warnings.warn,
    isolation: Isolation | None = DEFAULT,
    jobs: int = 1,
) -> list[Finding]:
    """Replay every record and return those that do not hold.

    Program, action set, initial metric and -Oz are computed again for all records. A record with
    an answer is replayed too; a failed one has nothing to replay. Where it is known what the
    program must do (``datasets.expected_of``), the result of the replay is made a native program,
    which must do the same.

    Args:
        records: Records of any tasks.
        progress: Called with each record that is done; those of one program come together.
        run_programs: Whether to run native programs.
        warn: Called, once, with the reason if programs cannot be run on this machine.
        isolation: The limits of the compiler; None for the processes that replay.
        jobs: How many processes replay; 1 for this one.

    Returns:
        The findings; those of one program stand together.

    Raises:
        CompilerKilled: A process that replays was ended from outside.
    """
    work = _Work(run_programs, isolation)
    groups = _by_program(records)
    found: dict[int, list[Finding]] = {}
    warned: set[str] = set()
    with closing(in_processes(work, groups, jobs)) as results:
        for number, (findings, reasons) in results:
            found[number] = findings
            for reason in reasons:
                if reason not in warned:
                    warned.add(reason)
                    warn(reason)
            if progress:
                for record in groups[number]:
                    progress(record)
    return [finding for number in sorted(found) for finding in found[number]]


def _by_program(records: Iterable[Record]) -> list[list[Record]]:
    """Return the records in groups of one program each, so that its -Oz is computed once."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.program, []).append(record)
    return [
        group[start : start + _GROUP]
        for group in groups.values()
        for start in range(0, len(group), _GROUP)
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """Replays a group of records; picklable, for other processes."""

    run_programs: bool
    isolation: Isolation | None

    def __call__(self, records: Sequence[Record]) -> tuple[list[Finding], list[str]]:
        """Return the findings, and why programs could not be run."""
        reasons: list[str] = []
        behaviour = _Behaviour(reasons.append) if self.run_programs else None
        findings: list[Finding] = []
        for record in records:
            try:
                problems = list(_problems(record, behaviour, self.isolation))
            except LlmoptError as error:
                problems = [str(error)]
            findings += [Finding(record, problem) for problem in problems]
        return findings, reasons


class _Behaviour:
    """Runs the results of replays, each distinct one once."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._able = True
        self._known: dict[tuple[str, str], str | None] = {}

    def problem(self, session: Session) -> str | None:
        """Return what the program in ``session`` does otherwise than it must, if anything."""
        if not self._able:
            return None
        try:
            expected = expected_of(session.program)
            if expected is None:
                return None
            require_native()
        except MissingTool as error:
            self._able = False
            self._warn(f"the programs were not run, only replayed: {error}")
            return None
        bitcode = session.bitcode()
        key = (session.program.uri, hashlib.sha256(bitcode).hexdigest())
        if key not in self._known:
            self._known[key] = _difference(expected, bitcode, session.program.uri)
        return self._known[key]


def _difference(expected: Expected, bitcode: bytes, name: str) -> str | None:
    try:
        return expected.difference(execute(bitcode, name))
    except BadProgram as error:
        return str(error)


def _problems(
    record: Record, behaviour: _Behaviour | None, isolation: Isolation | None
) -> Iterator[str]:
    actions = make_action_set(record.action_set)
    yield from _compare("action_set_sha256", record.action_set_sha256, actions.sha256)
    program = load_program(record.program)
    yield from _compare("program_sha256", record.program_sha256, program.sha256)
    pass_list = PassList.parse(record.pass_list, actions)
    settled, session = settle(program, pass_list, metric=record.metric, isolation=isolation)
    if record.status == "ok" and settled != pass_list:
        yield "pass_list: it leaves calls of always_inline functions; add always-inline"
    yield from _compare("initial", record.initial, session.initial())
    yield from _compare("oz", record.oz, session.reference("Oz"))
    if record.status == "ok":
        yield from _compare("new", record.new, session.measure())
        yield from _compare("module_sha256", record.module_sha256, session.content_hash())
        if behaviour and (difference := behaviour.problem(session)):
            yield f"the program that the replay gives does not do what it should: {difference}"


def _compare(field: str, said: object, found: object) -> Iterator[str]:
    if said != found:
        yield f"{field}: the record says {said}, the replay gives {found}"
