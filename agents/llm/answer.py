"""What the text of a model means, as values: the answer, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from llmopt_bench import PassList

MAX_ANSWER = 1 << 24
"""Characters of an answer that are looked at. Reading takes time linear in them."""
MAX_PASSES = 1_000
"""Passes of an answer that are kept; a model that repeats itself names any number."""


class Problem(StrEnum):
    """What can be wrong with an answer. The values are for counting in records."""

    EMPTY = "empty"
    """There is no text."""
    TOO_LONG = "too-long"
    """More than ``MAX_ANSWER`` characters; only these were read."""
    NO_LIST = "no-list"
    """No pass list where the format has it, nor anywhere else that is looked at."""
    WRONG_FORMAT = "wrong-format"
    """There is a list, but not in the form that was asked for."""
    CUT_LIST = "cut-list"
    """The text ends inside the list, or its brackets do not match; what was read is kept."""
    LONG_LIST = "long-list"
    """More than ``MAX_PASSES`` passes; the first ones are kept."""
    UNKNOWN_PASS = "unknown-pass"
    """A name that LLVM does not have; it is left out."""
    DROPPED_PASS = "dropped-pass"
    """A pass of LLVM 17 or 22, or an old flag, that is no action; it is left out."""
    OTHER_PARAMETERS = "other-parameters"
    """An action with parameters that the action set does not have; it runs without them."""
    REGROUPED = "regrouped"
    """A group that runs its passes in turn on each loop or strongly connected component; here
    each pass runs on the whole module before the next one."""
    NO_COUNTS = "no-counts"
    """The instruction counts are missing where they should stand, or are not numbers."""
    CUT_IR = "cut-ir"
    """The text ends inside the optimised IR."""
    NO_IR = "no-ir"
    """Something else stands where the optimised IR should."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said about a program.

    Reading never raises: what cannot be read is missing here, with a problem that says why. An
    answer that ends after its pass list is whole, since nothing else is needed to run it.
    """

    passes: PassList | None
    """What can be run of the list; None if there is no list, or no name in it is an action."""
    before: int | None = None
    """Instructions of the program, as the model sees it."""
    after: int | None = None
    """Instructions once the list has run, as the model sees it."""
    ir: str | None = None
    """The optimised IR, as the model sees it."""
    problems: tuple[Problem, ...] = ()
    """Each kind once, in the order they were met."""
    dropped: tuple[str, ...] = ()
    """Names that are not in ``passes``: each once, at most 80 characters of it."""
    bytes_before: int | None = None
    """Size of the program in the object file, as the model sees it; ``llm-compiler-ftd`` only."""
    bytes_after: int | None = None
    """The same once the list has run."""


def once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each kind of problem once, in order."""
    return tuple(dict.fromkeys(problems))


def without_list(problems: tuple[Problem, ...]) -> Answer:
    """Return the answer of a text in which no list was found."""
    missing = () if Problem.EMPTY in problems else (Problem.NO_LIST,)
    return Answer(None, problems=(*problems, *missing))


def opened(text: str) -> tuple[str, tuple[Problem, ...]]:
    """Return the part of an answer to read, and what is wrong before it is read."""
    problems = [Problem.TOO_LONG] if len(text) > MAX_ANSWER else []
    text = text[:MAX_ANSWER]
    if not text.strip():
        problems.append(Problem.EMPTY)
    return text, tuple(problems)
