"""Random IR from llvm-stress: what no front end writes, and optimizers have to survive."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess

from llmopt_bench.datasets.base import SeededDataset
from llmopt_bench.errors import BadProgram, MissingTool
from llmopt_bench.frontend import LLVM_MAJOR
from llmopt_bench.program import Program

SIZE = 100
"""Instructions that are asked for: the tool's default, which CompilerGym took."""
TIME_LIMIT = 60.0
"""Seconds that the tool may take."""

_HOW_TO_GET = f"Install it with `apt-get install llvm-{LLVM_MAJOR}`, from apt.llvm.org."
_HEAD = re.compile(r"^(define .*\)) \{$", re.MULTILINE)


class LlvmStressPrograms(SeededDataset):
    """Functions that llvm-stress generates; the seed is the name.

    They are valid, hold vectors, floats and odd integers in one, and compute nothing: a good test
    of agents and of pass lists, no measure of what can be gained on software. Most shrink to a
    few instructions.

    To each function are added the attributes ``minsize`` and ``optsize``, which a front end writes
    at ``-Oz``, so that the reference is an honest one, and to the module the target x86-64.
    CompilerGym's programs of this name come from LLVM 10, without either, and are others.
    """

    name = "llvm-stress-v0"
    version = "0"
    description = f"Random IR by llvm-stress {LLVM_MAJOR}, one function for each seed below 2**32"
    licence = "Apache-2.0 WITH LLVM-exception"

    def require(self) -> None:
        """See that llvm-stress is here.

        Raises:
            MissingTool: It is not, or only another version.
        """
        _tool()

    def load(self, uri: str) -> Program:
        """Generate the program ``llvm-stress-v0/<seed>``.

        Raises:
            UnknownProgram: The seed is not a number below 2**32.
            MissingTool: llvm-stress of the right version is not installed.
            BadProgram: It failed for this seed, or LLVM does not take what it wrote.
        """
        seed = self._seed_of(uri)
        name = str(seed)
        return Program(uri, _assemble(_for_size(_generate(seed), name), name))


def _generate(seed: int) -> str:
    try:
        done = _run([_tool(), f"--seed={seed}", f"--size={SIZE}", "-o", "-"])
    except subprocess.TimeoutExpired:
        raise BadProgram(
            f"expected llvm-stress --seed={seed} to finish within {TIME_LIMIT:g} s, and it did "
            "not. Take another seed."
        ) from None
    if done.returncode != 0 or not done.stdout:
        raise BadProgram(
            f"expected IR from llvm-stress --seed={seed}, got status {done.returncode}: "
            f"{done.stderr.strip()[:200]}. Take another seed."
        )
    return done.stdout


def _for_size(text: str, seed: str) -> str:
    """Add the target, and the attributes that ``clang -Oz`` would give its functions."""
    target = 'target triple = "x86_64-pc-linux-gnu"\n\n'
    result, functions = _HEAD.subn(rf"{target}\1 minsize optsize {{", text)
    if functions != 1:
        raise BadProgram(
            f"expected one function from llvm-stress --seed={seed}, got {functions}. "
            f"Check that `llvm-stress-{LLVM_MAJOR}` is LLVM's."
        )
    return result


def _assemble(text: str, seed: str) -> bytes:
    from llmopt_bench.isolation import Host

    return Host().read(text.encode(), f"llvm-stress --seed={seed}").bitcode()


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIME_LIMIT, stdin=subprocess.DEVNULL
    )


@functools.cache
def _tool() -> str:
    """Return llvm-stress; another version makes other programs of the same seeds."""
    seen = []
    for name in (f"llvm-stress-{LLVM_MAJOR}", "llvm-stress"):
        program = shutil.which(name)
        if program is None:
            continue
        answer = re.search(r"LLVM version (\d+)\S*", _run([program, "--version"]).stdout)
        if answer and answer[1] == str(LLVM_MAJOR):
            return program
        seen.append(f"{program} is {answer[0] if answer else 'something else'}")
    found = "; ".join(seen) or "found none"
    raise MissingTool(f"expected llvm-stress of LLVM {LLVM_MAJOR} on PATH, {found}. {_HOW_TO_GET}")
