"""From the bitcode of a file to its functions, each measured: one row of the corpus a function.

This runs in a forked process of its own for each file: LLVM may crash or hang on what a compiler
gave it, and that should cost one file and not the build.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import resource
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import numpy as np

from llmopt_bench._core import Module, autophase_names
from llmopt_bench.datasets.corpus.manifest import LEAST, MOST
from llmopt_bench.errors import BadProgram, CompilerCrashed, CompilerTimeout, LlmoptError, shorten

TIME_LIMIT = 300.0
"""Seconds for the functions of one file."""
MEMORY = 3 << 30
"""Bytes of address space for it."""

# Instances of the standard library's templates, and what compilers add on their own. They are the
# tool chain's code, the same in every package.
_LIBRARY = (
    "_ZNSt",
    "_ZNKSt",
    "_ZNVSt",
    "_ZSt",
    "_ZGRNSt",
    "__clang_",
    "_GLOBAL__",
    "__cxx_global_",
)
_PR_SET_PDEATHSIG = 1
_SAFE = "$.@:+-_~"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Row:
    """A function alone in a module, and what is known of it."""

    path: str
    """``<file>/<function>``, both as in the package."""
    bitcode: bytes
    content_hash: str
    near_hash: str
    instructions_o0: int
    """Before any pass has run."""
    instructions_oz: int
    """After clang's ``-Oz``."""
    autophase: tuple[int, ...]
    text_length: int
    """Characters of its normalised text, as in 2309.07062."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file that compiles."""

    rows: tuple[Row, ...]
    bitcode: bytes
    """The whole file, as the core writes it."""
    instructions: int
    library: int
    """Functions left out because they are the standard library's."""
    size: int
    """Functions left out because they are too small or too large."""


def split(bitcode: bytes, path: str) -> FileResult:
    """Return the functions in the bitcode of the file ``path``.

    Raises:
        BadProgram: LLVM cannot read it.
        CompilerError: LLVM reported an error.
    """
    module = Module.read(bitcode, path)
    names = module.functions()
    own = [name for name in names if not name.startswith(_LIBRARY)]
    rows = []
    for name in own:
        alone = module.extract(name)
        if LEAST <= alone.instruction_count() <= MOST:
            rows.append(_row(alone, f"{path}/{quote(name, safe=_SAFE)}"))
    return FileResult(
        rows=tuple(rows),
        bitcode=module.bitcode(),
        instructions=module.instruction_count(),
        library=len(names) - len(own),
        size=len(own) - len(rows),
    )


def _row(module: Module, path: str) -> Row:
    autophase = np.zeros(len(autophase_names()), np.int64)
    module.autophase(autophase)
    return Row(
        path=path,
        bitcode=module.bitcode(),
        content_hash=module.content_hash(),
        near_hash=module.near_hash(),
        instructions_o0=module.instruction_count(),
        instructions_oz=module.reference("z"),
        autophase=tuple(int(value) for value in autophase),
        text_length=len(module.normalized_text()),
    )


def apart(work: Callable[[], _T], scratch: Path) -> _T:
    """Return what ``work`` returns, run in a fork of this process, which must have no threads.

    Raises:
        CompilerCrashed: The fork ended in another way than by returning.
        CompilerTimeout: It did not end in time.
        LlmoptError: What ``work`` raised.
    """
    answer, complaints = scratch / "answer", scratch / "complaints"
    child = os.fork()
    if child == 0:
        _child(work, answer, complaints)
    if not _ended(child):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise CompilerTimeout(f"expected the functions within {TIME_LIMIT:g} s; LLVM was not done.")
    _, status = os.waitpid(child, 0)
    if status != 0:
        lines = complaints.read_text("utf-8", errors="replace").strip().splitlines()
        how = os.waitstatus_to_exitcode(status)
        raise CompilerCrashed(
            f"expected the functions, got a crash of LLVM (status {how}): "
            f"{shorten(lines[0] if lines else 'it said nothing', 200)}"
        )
    result: _T | LlmoptError = pickle.loads(answer.read_bytes())  # our own process wrote it
    if isinstance(result, LlmoptError):
        raise result
    return result


def die_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _child(work: Callable[[], object], answer: Path, complaints: Path) -> None:
    """Do the work, leave the answer in a file, and end without what Python does at its end."""
    status = 1
    try:
        die_with_parent()
        # What a crash says goes to the file of complaints, not to the user's terminal.
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with complaints.open("wb") as stream:
            os.dup2(stream.fileno(), 2)
        try:
            result: object = work()
        except LlmoptError as error:
            result = error
        except MemoryError:
            result = BadProgram(f"expected at most {MEMORY:,} bytes of memory; it wants more.")
        answer.write_bytes(pickle.dumps(result))
        status = 0
    finally:
        os._exit(status)


def _ended(child: int) -> bool:
    """Wait for the process; return whether it ended in time."""
    descriptor = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([descriptor], [], [], TIME_LIMIT)
        return bool(ready)
    finally:
        os.close(descriptor)
