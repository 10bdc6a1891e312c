"""States of CompilerGym's episodes: what was run on which program, as CSV, and whether it holds."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llmopt_bench.action_set import make_action_set
from llmopt_bench.compiler_gym_actions import ACTION_SET
from llmopt_bench.compiler_gym_rewards import RewardSpec
from llmopt_bench.datasets import expected_of
from llmopt_bench.errors import BadProgram, BadRecord, LlmoptError, MissingTool, shorten, shown
from llmopt_bench.execution import execute, require_native
from llmopt_bench.isolation import DEFAULT, Isolation
from llmopt_bench.passes import PassList
from llmopt_bench.plain_file import read_plain, reason_of, write_whole
from llmopt_bench.program import Program
from llmopt_bench.session import Session
from llmopt_bench.verify import replay

COLUMNS = ("benchmark", "reward", "walltime", "commandline")
"""The columns of a CSV file of states, in the order that they have without a header."""
_LARGEST_FILE = 1 << 26
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class CompilerGymState:
    """What was run on which program, and what it earned.

    Two states are equal if the program and the command line are, and the rewards where both have
    one, to a relative difference of 1e-5.
    """

    benchmark: str
    """URI of the program."""
    commandline: str
    """The passes, as a command line of ``opt``."""
    walltime: float = 0.0
    """Seconds since the episode began."""
    reward: float | None = None
    """What the episode earned; None without a reward space."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompilerGymState):
            return NotImplemented
        same = (self.benchmark, self.commandline) == (other.benchmark, other.commandline)
        return same and (
            self.reward is None or other.reward is None or _close(self.reward, other.reward)
        )

    def __hash__(self) -> int:
        return hash((self.benchmark, self.commandline))


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def write_states(path: Path, states: Iterable[CompilerGymState]) -> None:
    """Write states as a CSV file that CompilerGym reads too.

    Raises:
        OSError: It cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for state in states:
        reward = "" if state.reward is None else repr(state.reward)
        writer.writerow([state.benchmark, reward, repr(state.walltime), state.commandline])
    write_whole(path, text.getvalue().encode())


def read_states(path: Path) -> list[CompilerGymState]:
    """Read a CSV file of states, as CompilerGym and ``write_states`` write it.

    The first line may name the columns, in any order; without such a line they are ``COLUMNS``.

    Raises:
        BadRecord: The file cannot be read, or a line is no state.
    """
    try:
        text = read_plain(path, _LARGEST_FILE).decode()
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecord(f"{path}: expected a CSV file of states: {reason_of(error)}.") from error
    columns: Iterable[str] = COLUMNS
    numbered = [(number, row) for number, row in enumerate(rows, start=1) if row]
    if numbered and set(numbered[0][1]) == set(COLUMNS):
        columns = numbered.pop(0)[1]
    return [_state(f"{path}, row {number}", columns, row) for number, row in numbered]


def _state(where: str, columns: Iterable[str], row: list[str]) -> CompilerGymState:
    try:
        cells = dict(zip(columns, row, strict=True))
        reward = float(cells["reward"]) if cells["reward"] else None
        walltime = float(cells["walltime"] or 0)
    except ValueError as error:
        raise BadRecord(
            f"{where}: expected {', '.join(COLUMNS)}, got {shown(row)}. Correct the row."
        ) from error
    return CompilerGymState(cells["benchmark"], cells["commandline"], walltime, reward)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether a state holds."""

    state: CompilerGymState
    errors: tuple[str, ...]
    """What does not hold, in words."""
    reward_validated: bool
    """Whether the reward was compared."""
    benchmark_semantics_validated: bool
    """Whether it is known what the program must do, and it was run."""
    walltime: float
    """Seconds that this took."""

    def okay(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.errors

    def __str__(self) -> str:
        verdict = "; ".join(self.errors) or "holds"
        return f"{self.state.benchmark}: {verdict}"


def validate_state(
    state: CompilerGymState,
    program: Program,
    reward: RewardSpec | None,
    isolation: Isolation | None = DEFAULT,
) -> ValidationResult:
    """Run a state again in a fresh session and look whether it holds.

    The result must pass LLVM's verifier and define what the program defined; its reward must be
    the state's; and where it is known what the program must do, it is run.

    Args:
        state: The state.
        program: Its program.
        reward: The reward that the state says; None to compare none.
        isolation: The limits of the compiler.
    """
    started = time.monotonic()
    errors: list[str] = []
    compared = reward is not None and state.reward is not None
    was_run = False
    try:
        passes = PassList.parse(state.commandline, make_action_set(ACTION_SET))
        session = replay(program, passes, isolation=isolation)
        if reward is not None and state.reward is not None:
            errors += _reward_errors(state.reward, reward, session)
        was_run, difference = _run(session)
        errors += [difference] if difference else []
    except LlmoptError as error:
        errors.append(f"{type(error).__name__}: {shorten(str(error), 500)}")
    seconds = time.monotonic() - started
    return ValidationResult(state, tuple(errors), compared, was_run, seconds)


def _reward_errors(said: float, reward: RewardSpec, session: Session) -> list[str]:
    found = reward.of(session, session.initial(reward.metric), session.measure(reward.metric))
    if _close(said, found):
        return []
    return [f"expected the reward {said!r} of {reward}, got {found!r} from running it again"]


def _run(session: Session) -> tuple[bool, str | None]:
    """Return whether the program could be run, and what it does otherwise than it must."""
    try:
        expected = expected_of(session.program)
        if expected is None:
            return False, None
        require_native()
    except MissingTool:
        return False, None
    try:
        return True, expected.difference(execute(session.bitcode(), session.program.uri))
    except BadProgram as error:
        return True, str(error)
