"""How good IR is that a model wrote, against what the compiler made of the same program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmopt_bench.errors import BadProgram, CompilerError
from llmopt_bench.execution import require_native
from llmopt_bench.ir_bleu import bleu
from llmopt_bench.ir_errors import NO_FUNCTION, IrError, class_of_error
from llmopt_bench.ir_running import frame_of, is_right
from llmopt_bench.isolation import DEFAULT, Host, Isolation
from llmopt_bench.program import Program

_NAME = "the answer"


@dataclass(frozen=True, slots=True)
class IrScore:
    """What one text is worth.

    Of arXiv 2309.07062 are ``compiles``, ``exact``, ``bleu`` and the classes of ``error``. None of
    these says that the code does what it should: only ``right`` does.
    """

    compiles: bool
    """LLVM reads the text, verifies it, and finds a function in it."""
    error: IrError | None
    """Why it does not compile."""
    message: str | None
    """What LLVM says about that."""
    exact: bool
    """The texts are the same once both are normalised (``Session.ir(normalized=True)``)."""
    same_code: bool
    """The code is the same; names of values may differ (``Session.content_hash``)."""
    bleu: float
    """0 to 1, of the text as it was written (``ir_bleu``)."""
    instructions: int | None
    """IR instructions of the answer; None where it does not compile."""
    expected_instructions: int
    """IR instructions of what the compiler made."""
    right: bool | None = None
    """Whether the program, with this code in it, does what it must when it runs; what does not
    compile is not right. None: not known, since it was not run, or cannot be (``ir_running``)."""

    @property
    def instruction_error(self) -> float | None:
        """|instructions - expected| / expected, with a divisor of at least 1."""
        if self.instructions is None:
            return None
        difference = abs(self.instructions - self.expected_instructions)
        return difference / max(self.expected_instructions, 1)

    def to_json(self) -> dict[str, Any]:
        """Return the score as an object for ``json.dumps``, with ``instruction_error``."""
        return {**asdict(self), "instruction_error": self.instruction_error}


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is asked of a text that compiles."""

    normalized: str
    code: str
    instructions: int


class IrScorer:
    """Scores IR text.

    Attributes and metadata count for nothing, since models are shown and write normalised IR: both
    texts are normalised before they are compared as code.

    Args:
        isolation: The limits of the worker process in which LLVM reads what models wrote; None to
            let it read in this process, which then ends where LLVM crashes.
        run_programs: Whether to run what models wrote, where it is known what it must do:
            natively, with the rights of this process. ``ir_running`` says what is not run.

    Raises:
        MissingTool: Programs are to be run, and cannot be on this machine.

    Example:
        >>> from llmopt_bench import IrScorer, Session
        >>> session = Session("bundled-functions-v1/astar_grid/chebyshev")
        >>> written = session.ir(normalized=True)
        >>> session.apply("mem2reg")
        True
        >>> score = IrScorer().score(written, session.ir(normalized=True))
        >>> score.compiles, score.exact, score.instructions, score.expected_instructions
        (True, False, 15, 7)
    """

    def __init__(
        self, isolation: Isolation | None = DEFAULT, *, run_programs: bool = False
    ) -> None:
        self._host = Host(isolation)
        self._run_programs = run_programs
        if run_programs:
            require_native()

    def score(self, written: str, expected: str, program: Program | None = None) -> IrScore:
        """Return what a text is worth.

        Args:
            written: What a model wrote: the IR alone, whatever it is.
            expected: What the compiler made, as IR text.
            program: What both are of, to be run if the scorer runs programs.

        Raises:
            BadProgram: LLVM cannot read ``expected``.
            CompilerError: LLVM failed on ``expected``.
        """
        reference = self._measure(expected, "the expected IR")
        found: _Measured | None = None
        error, message = None, None
        try:
            found = self._measure(written, _NAME)
        except (BadProgram, CompilerError) as problem:
            message = str(problem).partition(f"got {_NAME}: ")[2] or str(problem)
            error = class_of_error(message)
        return IrScore(
            compiles=found is not None,
            error=error,
            message=message,
            exact=found is not None and found.normalized == reference.normalized,
            same_code=found is not None and found.code == reference.code,
            bleu=bleu(written, expected),
            instructions=None if found is None else found.instructions,
            expected_instructions=reference.instructions,
            right=self._right(found, reference, program),
        )

    def _right(
        self, found: _Measured | None, reference: _Measured, program: Program | None
    ) -> bool | None:
        if not self._run_programs or program is None or (frame := frame_of(program)) is None:
            return None
        return found is not None and is_right(frame, found.normalized, reference.normalized)

    def _measure(self, text: str, name: str) -> _Measured:
        """Read a text.

        Raises:
            BadProgram: LLVM cannot read it, or it has no function.
            CompilerError: LLVM failed on it.
        """
        module = self._host.read(text.encode("utf-8", "replace"), name)
        if not module.functions():
            raise BadProgram(f"expected a function, got {name}: {NO_FUNCTION}")
        normalized = module.normalized_text()
        # Attributes are part of the code, and no part of the task.
        bare = self._host.read(normalized.encode(), name)
        return _Measured(normalized, bare.content_hash(), bare.instruction_count())


def summarize_ir(scores: Sequence[IrScore]) -> dict[str, float]:
    """Return what many texts are worth together, by name.

    Shares of all texts: ``compiles``, ``exact``, ``same_code``, and ``error_<class>`` for each
    class of ``IrError``, also those that never occurred. ``bleu`` is the mean over all texts, and
    ``instruction_error`` over those that compile. ``run`` is the share of texts of which ``right``
    is known, and ``right`` the share of these that are; without any, both last means are left out.

    Raises:
        ValueError: There is no score.
    """
    if not scores:
        raise ValueError("expected at least one score, got none. Score a text first.")
    shares: dict[str, Sequence[float]] = {
        "compiles": [score.compiles for score in scores],
        "exact": [score.exact for score in scores],
        "same_code": [score.same_code for score in scores],
        "bleu": [score.bleu for score in scores],
        "run": [score.right is not None for score in scores],
        "right": [score.right for score in scores if score.right is not None],
        "instruction_error": [
            score.instruction_error for score in scores if score.instruction_error is not None
        ],
    }
    for kind in IrError:
        shares[f"error_{kind}"] = [score.error == kind for score in scores]
    return {name: sum(values) / len(values) for name, values in shares.items() if values}
