"""Whether IR that a model wrote does what it should: put into its program, which then runs.

It is known what a program of ``bundled-v1`` must print, so the program with the new code in place
of the old is linked, natively, and run. A function of ``bundled-functions-v1`` takes the place of
the original in the program it is from. That shows errors which the one input of the program
reaches, and no others.

What a model wrote runs with the rights of this process, under limits, but in no jail
(``execution``). Code that mentions other functions and variables than its program and the
compiler's answer do, or inline assembly, is not run; that keeps a model from deleting files by
accident, and not one that is made to do harm.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmopt_bench.datasets import expected_of, load_program
from llmopt_bench.datasets.bundled import BundledFunctions, BundledPrograms
from llmopt_bench.execution import Expected, run_program
from llmopt_bench.frontend import TIME_LIMIT, compiler_environment, find_compiler, run_compiler
from llmopt_bench.isolation import Host
from llmopt_bench.program import Program

# As ``execution`` makes machine code: as an optimizing compiler does, and without passes.
_FLAGS = (
    "-w",
    "-fno-color-diagnostics",
    "-O2",
    "-Xclang",
    "-O2",
    "-Xclang",
    "-disable-llvm-passes",
)
_NAME = re.compile(r'@("[^"\n]*"|[-\w.$]+)')
_OUTSIDE = re.compile(r"^(?:declare .*|@.* = (?:extern_weak|external) .*)$", re.MULTILINE)
_ASSEMBLY = re.compile(r"\basm\b")
# Local constants stay so: a function alone has copies of those that it needs.
_LOCAL = re.compile(r"^(define |@\S+ = (?=internal (?:[\w()]+ )*global ))internal ", re.MULTILINE)
_TRAP = '{\ncall void asm sideeffect "ud2", ""()\nunreachable\n}\n'


@dataclass(frozen=True, slots=True)
class Frame:
    """What a piece of code is put into, so that it runs."""

    rest: tuple[str, ...]
    """IR text of the other modules of the program: none, or one that lacks a function."""
    known: frozenset[str]
    """Names of functions and variables of the program, and of what it needs."""
    expected: Expected
    """What the program must do."""


@functools.lru_cache(maxsize=64)
def frame_of(program: Program) -> Frame | None:
    """Return what runs the code of a program; None if nothing does.

    There is one if the program, or function, is known to be run: it does what it must when its
    own IR is put in, normalised as a model would write it, and, if it is a function, something
    else when a trap is.
    """
    dataset, _, name = program.uri.partition("/")
    own = _normalized(program)
    if dataset != BundledFunctions.name:
        frame = _frame((), own, expected_of(program))
        return frame if frame and _behaves([own], frame.expected) else None
    whole_name, _, function = name.partition("/")
    whole = load_program(f"{BundledPrograms.name}/{whole_name}")
    shared = _LOCAL.sub(r"\1", _normalized(whole))
    block = re.compile(
        rf"^define ([^\n]*@{re.escape(function)}\([^\n]*) \{{\n.*?^}}\n", re.M | re.S
    )
    frame = _frame((block.sub(r"declare \1\n", shared),), shared, expected_of(whole))
    if frame is None or not _behaves([own, *frame.rest], frame.expected):
        return None
    trapped = block.sub(lambda found: f"define {found[1]} {_TRAP}", shared)
    return None if _behaves([trapped], frame.expected) else frame


def is_right(frame: Frame, written: str, expected: str) -> bool | None:
    """Return whether a program does what it must with new code; None if the code is not run.

    Args:
        frame: Of the program or function.
        written: What a model wrote, normalised by LLVM.
        expected: What the compiler made, likewise.

    Raises:
        MissingTool: There is no clang of version 22.
    """
    known = frame.known | _names(expected)
    outside = _names("\n".join(_OUTSIDE.findall(written)))
    if {name for name in outside if not name.startswith("llvm.")} - known:
        return None
    if _ASSEMBLY.search(written) and not _ASSEMBLY.search(expected):
        return None
    return _behaves([written, *frame.rest], frame.expected)


def _frame(rest: tuple[str, ...], text: str, expected: Expected | None) -> Frame | None:
    return None if expected is None else Frame(rest, _names(text), expected)


def _names(ir: str) -> frozenset[str]:
    return frozenset(_NAME.findall(ir))


def _normalized(program: Program) -> str:
    """Return the program without attributes.

    Both sides of a call must agree whether small integers are extended, which attributes say, and
    what models write has none.
    """
    return Host().read(program.bitcode, program.uri).normalized_text()


def _behaves(modules: Sequence[str], expected: Expected) -> bool:
    """Whether modules are a program, together, that does what is expected."""
    with tempfile.TemporaryDirectory(prefix="llmopt-") as name:
        folder = Path(name)
        files = [f"{number}.ll" for number in range(len(modules))]
        for file, text in zip(files, modules, strict=True):
            (folder / file).write_text(text, "utf-8")
        command = [*find_compiler().command("c"), *_FLAGS, *files, "-o", "program", "-lm"]
        try:
            status, _ = run_compiler(command, folder, compiler_environment(folder), TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return False
        return status == 0 and expected.difference(run_program(folder / "program")) is None
