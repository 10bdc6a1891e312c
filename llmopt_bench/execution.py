"""Native programs: how one is made of bitcode, run under limits, and compared with what it must do.

A program runs without input, in a session of its own whose processes all end with it, in an empty
folder, with limits on time, memory and output. That keeps a broken program from doing harm by
accident; it is no jail for a hostile one.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmopt_bench.errors import BadProgram, LlmoptError, MissingTool
from llmopt_bench.frontend import TIME_LIMIT, compile_source, compiler_environment, find_compiler

# Machine code is made as an optimizing compiler does, and the module is taken as it is.
_CODE_GENERATION = ("-O2", "-Xclang", "-O2", "-Xclang", "-disable-llvm-passes")
# Limits that the shell sets before it becomes the program: unlike a function that runs between
# fork and exec, this is safe in a process with threads. Blocks of files are 512 bytes in POSIX.
_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; shift 3; exec "$@"'
_BLOCK = 512
_PROBE = "int main(void) { return 42; }\n"
_PROBE_STATUS = 42


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use; the system ends one that wants more."""

    seconds: float = 10.0
    memory: int = 2**30
    """Bytes of address space."""
    output: int = 2**24
    """Bytes on standard output, and in any file."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a program did."""

    stdout: bytes
    status: int
    """The exit code; if a signal ended the program, minus its number."""
    timed_out: bool

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return "no end within the time limit"
        if self.status >= 0:
            return f"exit code {self.status}"
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a program must do, whatever passes have made of it."""

    stdout_sha256: str
    exit_code: int

    @classmethod
    def of(cls, run: Execution) -> Expected:
        """Return the expectation that ``run`` meets."""
        return cls(hashlib.sha256(run.stdout).hexdigest(), run.status)

    def difference(self, run: Execution) -> str | None:
        """Return what ``run`` does otherwise, in words; None if nothing."""
        if run.timed_out or run.status != self.exit_code:
            return f"expected exit code {self.exit_code}, got {run.ending}"
        if (printed := Expected.of(run).stdout_sha256) != self.stdout_sha256:
            return (
                f"expected output of SHA-256 {self.stdout_sha256[:12]}, got {printed[:12]} "
                f"({len(run.stdout):,} bytes)"
            )
        return None


def execute(bitcode: bytes, name: str, limits: Limits | None = None) -> Execution:
    """Make a native program of ``bitcode``, without any pass, and run it.

    Args:
        bitcode: A whole program: a module with ``main`` that needs the C library only.
        name: What messages call it.
        limits: The defaults of ``Limits`` if None.

    Raises:
        BadProgram: It does not link.
        MissingTool: There is no clang of version 22.
    """
    with tempfile.TemporaryDirectory(prefix="llmopt-") as folder:
        program = Path(folder) / "program"
        _link(bitcode, name, program)
        return run_program(program, limits)


def run_program(program: Path, limits: Limits | None = None) -> Execution:
    """Run a native program under limits, without arguments, input or standard error."""
    limits = limits or Limits()
    seconds = _allowed(resource.RLIMIT_CPU, math.ceil(limits.seconds) + 1)
    memory = _allowed(resource.RLIMIT_AS, limits.memory) // 1024
    blocks = _allowed(resource.RLIMIT_FSIZE, limits.output) // _BLOCK
    shell = ["sh", "-c", _LIMITED, "sh", *map(str, (seconds, memory, blocks))]
    with tempfile.TemporaryDirectory(prefix="llmopt-") as folder:
        command = [*shell, str(program.absolute())]
        return _run(command, Path(folder), {"LC_ALL": "C"}, limits.seconds)


@functools.cache
def require_native() -> None:
    """Check, once, that programs can be made and run on this machine.

    Without this check a machine that lacks the C library's files, or that lets nothing run from
    its temporary folder, would look like a program that passes have broken.

    Raises:
        MissingTool: They cannot; the message says why.
    """
    try:
        run = execute(compile_source(_PROBE, "c"), "a program of one line")
    except MissingTool:
        raise
    except LlmoptError as error:
        raise MissingTool(
            f"expected clang to make programs for this machine: {error} Install the development "
            "files of the C library (`apt-get install libc6-dev`)."
        ) from error
    if run.status != _PROBE_STATUS:
        raise MissingTool(
            f"expected exit code {_PROBE_STATUS} from a program of one line, got {run.ending}. "
            f"x86-64 programs must be able to run from {tempfile.gettempdir()}, or from the folder "
            "that TMPDIR names."
        )


def _allowed(kind: int, wanted: int) -> int:
    """Return a limit that can be set: nobody may go over the one that is in force."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _link(bitcode: bytes, name: str, program: Path) -> None:
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="llmopt-") as scratch:
        folder = Path(scratch)
        (folder / "program.bc").write_bytes(bitcode)
        command = [*compiler.command("c"), "-w", "-fno-color-diagnostics", *_CODE_GENERATION]
        command += ["program.bc", "-o", str(program), "-lm"]
        environment = compiler_environment(folder)
        done = _run(command, folder, environment, TIME_LIMIT, stderr=subprocess.STDOUT)
    if done.status != 0:
        said = " ".join(done.stdout.decode("utf-8", "replace").split()) or done.ending
        raise BadProgram(f"expected {name} to link, got: {said[:500]}")


def _run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    *,
    stderr: int = subprocess.DEVNULL,
) -> Execution:
    """Run a command in ``folder``; at the end nothing that it started is left."""
    timed_out = False
    # A file takes any amount without a reader, and the limit on files holds for it.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end_group(process)
        output.seek(0)
        return Execution(output.read(), process.returncode, timed_out)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # The usual case: the program has ended, and left nothing behind.
    process.wait()
