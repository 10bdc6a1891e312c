"""What a worker process of a build does: one file, from source to measured functions."""

from __future__ import annotations

import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from llmopt_bench.datasets.corpus.hermetic import compile_unit
from llmopt_bench.datasets.corpus.split import FileResult, apart, die_with_parent, split
from llmopt_bench.datasets.corpus.units import Unit
from llmopt_bench.errors import CompilerKilled, CompilerTimeout, LlmoptError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file gave no functions."""

    reason: str
    transient: bool
    """Whether it may be this machine's fault, so that another build should try again."""


def start_worker(parent: int) -> None:
    """Make this process end with its parent, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    # The build is in the background of whatever else the machine does.
    os.nice(5)


def do_unit(unit: Unit, root: Path, scratch: Path) -> FileResult | Failure:
    """Compile a file and take it apart; return the reason if that fails.

    Raises:
        OSError: The disk is full, for example: then no other file would fare better.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="unit-", dir=scratch) as name:
            folder = Path(name)
            out = folder / "unit.bc"
            compile_unit(root, unit.path, unit.language, unit.flags, out)
            bitcode = out.read_bytes()
            return apart(lambda: split(bitcode, unit.path), folder)
    except (CompilerTimeout, CompilerKilled) as error:
        return Failure(str(error), transient=True)
    except LlmoptError as error:
        return Failure(str(error), transient=False)
