"""Every error this library raises on purpose.

Each class also inherits the builtin that a caller would expect, so ``except ValueError`` works
for people who do not know this module. Messages say what was expected, what came, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LlmoptError(Exception):
    """Base of all errors of this library."""


class UnknownPass(LlmoptError, ValueError):
    """A pass name or pipeline text that the action set, or LLVM, does not know."""


class BadProgram(LlmoptError, ValueError):
    """Input that is not a program: broken bitcode or IR text, or source that does not compile."""


class UnknownProgram(LlmoptError, LookupError):
    """A URI that no dataset resolves, or a file that is not there."""


class UnknownName(LlmoptError, LookupError):
    """A task, agent, action set, dataset, observation or reward that does not exist."""


class BadTask(LlmoptError, ValueError):
    """A task file with missing, unknown or contradictory keys."""


class BadRecipe(LlmoptError, ValueError):
    """A recipe of a corpus with missing, unknown or wrong keys."""


class BadArchive(LlmoptError, ValueError):
    """An archive with another checksum, that cannot be unpacked, or with paths outside of it."""


class NotBuilt(LlmoptError, RuntimeError):
    """A dataset that has to be built, or downloaded, on this machine first."""


class Unavailable(LlmoptError, RuntimeError):
    """Something that should come over the network, and does not."""


class BadRecord(LlmoptError, ValueError):
    """A record that cannot be read, or that contradicts itself or its task."""


class BadCard(LlmoptError, ValueError):
    """The card of an entry of a leaderboard with missing, unknown or wrong keys."""


class BadEntry(LlmoptError, ValueError):
    """An entry of a leaderboard that is not complete, or that breaks a rule of the board."""


class BadStore(LlmoptError, ValueError):
    """A store of a run that is damaged, of something else, in use, or of another run."""


class BadAgent(LlmoptError, TypeError):
    """An object that does not follow the agent protocol, or an answer that is not a pass list."""


class BadModel(LlmoptError, ValueError):
    """A file that holds no model, or the model of another agent, action set or feature set."""


class BadTraining(LlmoptError, ValueError):
    """A training that cannot begin or go on: its settings, its data, or the folder it is in."""


class CompilerError(LlmoptError, RuntimeError):
    """LLVM reported an error while it ran passes or generated code."""


class InvalidModule(CompilerError):
    """The module that a pass list produced does not pass LLVM's verifier."""


class CompilerCrashed(CompilerError):
    """LLVM crashed, or ended its process, while it worked in a worker process."""


class CompilerKilled(CompilerCrashed):
    """A worker process was killed from outside, more than once for the same work."""


class CompilerTimeout(CompilerError):
    """LLVM was not done within the deadline."""


class CompilerOutOfMemory(CompilerError):
    """LLVM wanted more memory than the limit."""


class BudgetSpent(LlmoptError, RuntimeError):
    """The agent asked for more compilations than its budget holds."""


class MissingTool(LlmoptError, RuntimeError):
    """An external program (clang, csmith, ...) is needed and is not installed."""


class NoCompilerGym(MissingTool):
    """CompilerGym is needed and not set up on this machine, or its setup does not work."""


def shorten(text: str, limit: int = 80) -> str:
    """Return ``text`` cut to what an error message can bear."""
    return text if len(text) <= limit else text[:limit] + "..."


def shown(value: object, limit: int = 80) -> str:
    """Return ``value`` as an error message shows it, whatever it is."""
    try:
        return shorten(repr(value), limit)
    except Exception:  # an integer of 10,000 digits, lists in lists, a foreign `__repr__`
        return f"a {type(value).__name__} that cannot be shown"


def unknown(kind: str, name: str, known: Iterable[str], advice: str = "") -> str:
    """Return the message for a name that is not among ``known``: suggestion, then the next step.

    Args:
        kind: What the name should have named, for example ``"task"``.
        name: The name that was given.
        known: The names that exist.
        advice: What to do when no suggestion fits; a full sentence.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    if not advice:
        some = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        advice = f"Known: {some}." if names else "None is known."
    return f"unknown {kind} {shown(name)}.{hint} {advice}"
