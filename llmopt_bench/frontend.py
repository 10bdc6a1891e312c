"""From C and C++ text to the bitcode that an optimizer starts from.

Sources are compiled as ``clang -Oz`` would, up to the point where LLVM's passes begin: the size
attributes that ``-Oz`` puts on functions are there, and nothing is optimized yet.

The compiler is, in this order, the one that the environment variable ``LLMOPT_CLANG`` names,
``clang-22`` or a ``clang`` of version 22 on ``PATH``, and the clang inside the Python package
``ziglang``. The bodies of the functions are the same with both; ``ziglang`` spells out every
target feature and brings its own C library headers.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmopt_bench.errors import BadProgram, MissingTool

LLVM_MAJOR = 22
LANGUAGES = {".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++"}
"""The endings of source files, and the language of each."""
LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")
TIME_LIMIT = 60.0
"""Seconds that one compilation may take."""

_OVERRIDE = "LLMOPT_CLANG"
_HOW_TO_GET = (
    f"Install clang-{LLVM_MAJOR} (apt.llvm.org has it for Debian and Ubuntu), or "
    f"`pip install 'ziglang>=0.17,<0.18'`, or name a clang with {_OVERRIDE}=/path/to/clang."
)
# Flags like CPATH or CCC_OVERRIDE_OPTIONS would make a program depend on who compiles it.
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH")
_SHOWN_ERRORS = 3


@dataclass(frozen=True, slots=True)
class Compiler:
    """A clang of the right version."""

    program: str
    """Path of the executable."""
    kind: Literal["clang", "zig"]
    version: str
    """Version of clang, for example ``22.1.8``."""

    def command(self, language: str) -> list[str]:
        """Return how a command line for ``language`` starts."""
        if self.kind == "clang":
            return [self.program, "--no-default-config", "--target=x86_64-pc-linux-gnu"]
        # What zig adds to clang and clang alone would not, switched off; what it lacks, on.
        return [
            self.program,
            "c++" if language == "c++" else "cc",
            "-target",
            "x86_64-linux-gnu",
            "-fno-sanitize=all",
            "-fno-stack-protector",
            "-fomit-frame-pointer",
            "-fPIE",
        ]


def compile_source(
    source: Path | str,
    language: str | None = None,
    *,
    level: str = "Oz",
    cflags: Sequence[str] = (),
) -> bytes:
    """Return unoptimized bitcode, as ``clang -O<level>`` hands it to LLVM's passes.

    Args:
        source: A file (``Path``), which may include its neighbours, or the text itself (``str``).
        language: ``"c"`` or ``"c++"``. Needed for text; for files the ending says it.
        level: One of ``LEVELS``. Functions carry the attributes of that level.
        cflags: More arguments for the compiler, for example ``["-DNDEBUG", "-I/some/include"]``.
            They run in the folder of the source.

    Raises:
        BadProgram: The source does not compile, or not within ``TIME_LIMIT``.
        MissingTool: There is no clang of version 22.
    """
    if level not in LEVELS:
        raise ValueError(f"expected a level of {', '.join(LEVELS)}, got {level!r}")
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="llmopt-") as name:
        scratch = Path(name)
        if isinstance(source, str):
            source = _write_text(source, language, scratch)
        chosen = language or LANGUAGES.get(source.suffix, source.suffix)
        if chosen not in LANGUAGES.values():
            raise ValueError(f"expected language 'c' or 'c++', got {chosen!r} for {source.name}")
        out = scratch / "out.bc"
        command = [
            *compiler.command(chosen),
            *_level_flags(level),
            *("-emit-llvm", "-c", "-fno-ident", "-fno-color-diagnostics", "-w"),
            *cflags,
            *("-x", chosen, _as_argument(source.name), "-o", str(out)),
        ]
        _compile(command, source, scratch)
        if not out.exists():
            raise BadProgram(
                f"expected clang to write bitcode for {source.name}, got nothing. Leave out "
                "arguments such as -fsyntax-only."
            )
        return out.read_bytes()


def clang_version() -> str:
    """Return the version of the clang in use, for example ``22.1.8`` or ``22.1.8 (ziglang)``.

    Raises:
        MissingTool: There is no clang of version 22.
    """
    compiler = find_compiler()
    return compiler.version + (" (ziglang)" if compiler.kind == "zig" else "")


def find_compiler() -> Compiler:
    """Return the compiler that ``compile_source`` uses.

    Raises:
        MissingTool: There is no clang of version 22.
    """
    return _find(os.environ.get(_OVERRIDE), os.environ.get("PATH"))


@functools.cache
def _find(override: str | None, path: str | None) -> Compiler:
    """Search once for each setting of the environment."""
    if override:
        return _override(override, path)
    seen = []
    for name in (f"clang-{LLVM_MAJOR}", "clang"):
        program = shutil.which(name, path=path)
        version = _version(program) if program else None
        if program and _is_right(version):
            return Compiler(program, "clang", str(version))
        if program:
            seen.append(f"{program} is version {version}")
    zig = _zig()
    if zig and _is_right(version := _version(zig, "cc")):
        return Compiler(zig, "zig", str(version))
    if zig:
        seen.append(f"the clang of ziglang is version {version}")
    found = "; ".join(seen) or "found none"
    raise MissingTool(f"expected a clang of version {LLVM_MAJOR}, {found}. {_HOW_TO_GET}")


def _override(override: str, path: str | None) -> Compiler:
    program = shutil.which(override, path=path)
    version = _version(program) if program else None
    if program and _is_right(version):
        return Compiler(program, "clang", str(version))
    what = f"version {version}" if program else "no executable"
    raise MissingTool(
        f"expected {_OVERRIDE} to name a clang of version {LLVM_MAJOR}, got {override!r}, "
        f"which is {what}. {_HOW_TO_GET}"
    )


def _is_right(version: str | None) -> bool:
    return version is not None and version.split(".")[0] == str(LLVM_MAJOR)


def _version(program: str, *arguments: str) -> str | None:
    """Return what the program says of itself, None if that is not a clang's answer."""
    try:
        done = subprocess.run(
            [program, *arguments, "--version"], capture_output=True, text=True, timeout=TIME_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"clang version (\d+(?:\.\d+)*)", done.stdout)
    return match[1] if match else None


def _zig() -> str | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    return shutil.which("zig", path=spec.submodule_search_locations[0])


def _level_flags(level: str) -> list[str]:
    # zig reads -O as one of its own build modes; what follows -Xclang reaches clang as it is.
    flags = [f"-{level}", "-Xclang", f"-{level}", "-Xclang", "-disable-llvm-passes"]
    # Without this no pass would touch a function from -O0.
    return [*flags, "-Xclang", "-disable-O0-optnone"] if level == "O0" else flags


def _write_text(text: str, language: str | None, folder: Path) -> Path:
    """Save the text under a name that is the same for everybody, since bitcode holds it."""
    source = folder / ("source.cpp" if language == "c++" else "source.c")
    if language is None:
        raise ValueError("expected language='c' or 'c++' with source text, got none")
    source.write_text(text, "utf-8")
    return source


def _as_argument(name: str) -> str:
    """Keep a file called ``-x.c`` from being an option; else leave names as they are."""
    return f"./{name}" if name.startswith(("-", "@")) else name


def compiler_environment(scratch: Path) -> Mapping[str, str]:
    """Return the environment for a compiler that may leave temporary files in ``scratch``."""
    kept = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
    cache = str(scratch / "cache")
    return kept | {
        "LC_ALL": "C",
        # The same source must be the same program tomorrow, also with __DATE__ in it.
        "SOURCE_DATE_EPOCH": "0",
        "TMPDIR": str(scratch),
        "ZIG_GLOBAL_CACHE_DIR": cache,
        "ZIG_LOCAL_CACHE_DIR": cache,
    }


def _compile(command: list[str], source: Path, scratch: Path) -> None:
    """Run the compiler where the source is, so that bitcode holds a file name and no path."""
    try:
        status, messages = run_compiler(
            command, source.parent, compiler_environment(scratch), TIME_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise BadProgram(
            f"expected {source.name} to compile within {TIME_LIMIT:g} s, and it did not."
        ) from None
    if status != 0:
        raise BadProgram(_complaint(source.name, status, messages))


def run_compiler(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
) -> tuple[int, str]:
    """Run a compiler in a folder; return its status and what it complained of.

    Raises:
        subprocess.TimeoutExpired: It was not done in time, and was killed.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    )
    try:
        _, messages = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            # The group, because zig works in a child of its own.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, messages


def _complaint(name: str, status: int, messages: str) -> str:
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-_SHOWN_ERRORS:]
    shown = "\n  ".join(errors[:_SHOWN_ERRORS]) or f"the compiler ended with status {status}"
    more = len(errors) - _SHOWN_ERRORS
    rest = f"\n  and {more} more." if more > 0 else ""
    return f"expected a source that compiles, got {name}:\n  {shown}{rest}"
