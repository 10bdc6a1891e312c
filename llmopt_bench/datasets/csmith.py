"""Random C programs from Csmith: as many as there are seeds, each the same on every machine."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from llmopt_bench.datasets.base import SeededDataset
from llmopt_bench.errors import BadProgram, MissingTool
from llmopt_bench.execution import Expected, Limits, execute, require_native
from llmopt_bench.frontend import compile_source, find_compiler
from llmopt_bench.program import Program

OPTIONS = ("--no-argc", "--no-volatiles", "--no-volatile-pointers", "--no-packed-struct")
"""The same for all seeds. Optimizers may not touch volatile accesses, hence none."""
VERSION = "2.3.0"
"""Another Csmith makes other programs of the same seeds, which needs another dataset name."""
TIME_LIMIT = 60.0
"""Seconds that Csmith may take; some seeds never end."""
RUN_LIMITS = Limits(seconds=3.0)
"""What an unoptimized program may use; many seeds give programs that never end."""

_HOW_TO_GET = "Install it with `apt-get install csmith libcsmith-dev`."


class CsmithPrograms(SeededDataset):
    """Programs that Csmith generates; the seed is the name."""

    name = "csmith-v0"
    version = "0"
    description = f"Random C programs by Csmith {VERSION}, one for each seed below 2**32"
    licence = "BSD-2-Clause"

    def require(self) -> None:
        """See that Csmith, its headers and a clang are here.

        Raises:
            MissingTool: One of them is not.
        """
        _tools()
        find_compiler()

    def load(self, uri: str) -> Program:
        """Generate and compile the program ``csmith-v0/<seed>``.

        Raises:
            UnknownProgram: The seed is not a number below 2**32.
            MissingTool: Csmith, its headers or clang are not installed.
            BadProgram: Csmith did not finish for this seed.
        """
        text = _generate(self._seed_of(uri))
        return Program(uri, compile_source(text, "c", cflags=[f"-I{_tools()[1]}"]), text)

    def expected(self, uri: str) -> Expected | None:
        """Return what the unoptimized program does: it prints a checksum of its variables.

        None if it does not end soon.

        Raises:
            UnknownProgram, MissingTool, BadProgram: As ``load``; MissingTool also if programs
                cannot be run on this machine.
        """
        require_native()
        return _observe(uri)


@functools.lru_cache(maxsize=64)
def _observe(uri: str) -> Expected | None:
    run = execute(CsmithPrograms().load(uri).bitcode, uri, RUN_LIMITS)
    return None if run.timed_out else Expected.of(run)


def _generate(seed: int) -> str:
    program, _ = _tools()
    try:
        done = _run([program, "--seed", str(seed), *OPTIONS])
    except subprocess.TimeoutExpired:
        raise BadProgram(
            f"expected csmith --seed {seed} to finish within {TIME_LIMIT:g} s, and it did not. "
            "Take another seed."
        ) from None
    if done.returncode != 0 or not done.stdout:
        raise BadProgram(
            f"expected a program from csmith --seed {seed}, got status {done.returncode}: "
            f"{done.stderr.strip()[:200]}. Take another seed."
        )
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Csmith in a folder of its own: it reads and writes a file ``platform.info``."""
    with tempfile.TemporaryDirectory(prefix="llmopt-") as folder:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )


@functools.cache
def _tools() -> tuple[str, Path]:
    """Return Csmith and the folder of its headers."""
    program = shutil.which("csmith")
    if program is None:
        raise MissingTool(f"expected csmith {VERSION} on PATH, got none. {_HOW_TO_GET}")
    answer = _run([program, "--version"]).stdout.split("\n")[0]
    if answer != f"csmith {VERSION}":
        raise MissingTool(
            f"expected csmith {VERSION}, got {answer!r} from {program}: its programs would be "
            f"others under the same names. {_HOW_TO_GET}"
        )
    root = Path(program).resolve().parent.parent
    # Debian's place, and the one of `make install`.
    for folder in (root / "include" / "csmith", root / "include" / f"csmith-{VERSION}"):
        if (folder / "csmith.h").is_file():
            return program, folder
    raise MissingTool(
        f"expected csmith.h in {root}/include/csmith, next to {program}, got none. {_HOW_TO_GET}"
    )
