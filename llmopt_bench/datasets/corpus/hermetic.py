"""The compiler that makes the corpus: clang and every header from one pinned Python package.

Nothing of the machine is used, so every machine gets the same bitcode. The package ``ziglang``
carries clang 22 with the headers of glibc and libc++. Its clang is called directly, not through
``zig cc``: that would rewrite ``-Oz`` to ``-Os``, define ``NDEBUG``, and spell every target feature
of the processor into every function, which makes the bitcode of a small file four times as large.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from llmopt_bench.errors import BadProgram, CompilerKilled, CompilerTimeout, MissingTool, shorten
from llmopt_bench.frontend import run_compiler

PACKAGE = "ziglang"
VERSION = "0.17.1"
"""Another version has other headers, hence other code under the same names."""
TIME_LIMIT = 120.0
"""Seconds that one file may take."""

_GLIBC_MINOR = 44
_SHOWN = 300
_MACHINE = re.compile(
    "No space left on device|Disk quota exceeded|File too large|Input/output error"
    "|Read-only file system|Too many open files"
)
_LIBC = ("x86-linux-gnu", "generic-glibc", "x86-linux-any", "any-linux-any")
_LIBCXX = {
    "_LIBCPP_ABI_VERSION": "1",
    "_LIBCPP_ABI_NAMESPACE": "__1",
    "_LIBCPP_HAS_THREADS": "1",
    "_LIBCPP_HAS_MONOTONIC_CLOCK": "1",
    "_LIBCPP_HAS_TERMINAL": "1",
    "_LIBCPP_HAS_MUSL_LIBC": "0",
    "_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS": "0",
    "_LIBCPP_HAS_FILESYSTEM": "1",
    "_LIBCPP_HAS_RANDOM_DEVICE": "1",
    "_LIBCPP_HAS_LOCALIZATION": "1",
    "_LIBCPP_HAS_UNICODE": "1",
    "_LIBCPP_HAS_WIDE_CHARACTERS": "1",
    "_LIBCPP_HAS_TIME_ZONE_DATABASE": "1",
    "_LIBCPP_PSTL_BACKEND_SERIAL": "1",
    "_LIBCPP_HARDENING_MODE": "_LIBCPP_HARDENING_MODE_NONE",
    "_LIBCPP_ASSERTION_SEMANTIC_DEFAULT": "_LIBCPP_ASSERTION_SEMANTIC_IGNORE",
}
"""What libc++ expects from whoever installs it, as zig sets it."""
# The compiler of Debian 12 warned where clang 22 refuses; the packages were made with the former.
_AS_DEBIAN = tuple(
    f"-Wno-error={name}"
    for name in (
        "implicit-function-declaration",
        "implicit-int",
        "int-conversion",
        "incompatible-pointer-types",
        "incompatible-function-pointer-types",
        "return-type",
    )
)


def require() -> Path:
    """Return the folder of the compiler package.

    Raises:
        MissingTool: It is not installed, or in another version.
    """
    how = f"Install it with `pip install {PACKAGE}=={VERSION}` or `llmopt-bench[corpus]`."
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingTool(f"expected the Python package {PACKAGE} {VERSION}, got none. {how}")
    version = metadata.version(PACKAGE)
    if version != VERSION:
        raise MissingTool(
            f"expected {PACKAGE} {VERSION}, got {version}: its code would be another under the "
            f"same names. {how}"
        )
    return Path(spec.submodule_search_locations[0])


@functools.cache
def libc_folders() -> tuple[Path, ...]:
    """Return the folders of the C library's and the kernel's headers."""
    root = require() / "lib"
    return tuple(root / "libc" / "include" / name for name in _LIBC)


@functools.cache
def command(language: str) -> tuple[str, ...]:
    """Return how a command line for ``language``, ``"c"`` or ``"c++"``, starts."""
    root = require()
    lib = root / "lib"
    folders = [lib / "include", *libc_folders()]
    defines = {"__GLIBC_MINOR__": str(_GLIBC_MINOR)}
    if language == "c++":
        folders = [lib / "libcxx" / "include", lib / "libcxxabi" / "include", *folders]
        defines |= _LIBCXX
    return (
        *(str(root / "zig"), "clang", "--no-default-config", "--target=x86_64-pc-linux-gnu"),
        *(("-nostdinc", "-nostdinc++") if language == "c++" else ("-nostdinc",)),
        *(part for folder in folders for part in ("-isystem", str(folder))),
        *(f"-D{name}={value}" for name, value in defines.items()),
        # Where the package lies must not show in the code.
        f"-fmacro-prefix-map={lib}=/usr/lib",
        *("-Oz", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c"),
        *("-fno-ident", "-fno-color-diagnostics", "-w", *(_AS_DEBIAN if language == "c" else ())),
        *("-x", language),
    )


def compile_unit(root: Path, source: str, language: str, flags: Sequence[str], out: Path) -> None:
    """Write the unoptimized bitcode of one file to ``out``.

    Args:
        root: The folder of the package; the compiler runs there.
        source: The file, relative to ``root``: this is what its code can know of its place.
        language: ``"c"`` or ``"c++"``.
        flags: More arguments: folders of headers, macros.
        out: Where to write.

    Raises:
        BadProgram: It does not compile.
        CompilerTimeout: It does not compile in time.
        CompilerKilled: The compiler was killed, as when the machine has too little memory.
        OSError: The bitcode cannot be written: the disk is full, for example.
        MissingTool: The compiler is not installed.
    """
    arguments = [*command(language), *flags, f"./{source}", "-o", str(out)]
    try:
        status, messages = run_compiler(arguments, root, _environment(out.parent), TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise CompilerTimeout(f"expected to compile within {TIME_LIMIT:g} s.") from None
    if status != 0 or not out.is_file():
        raise _failure(status, messages)


def _environment(scratch: Path) -> Mapping[str, str]:
    # Not even PATH: there is nothing that the compiler should find.
    return {
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "0",
        "TMPDIR": str(scratch),
        "ZIG_GLOBAL_CACHE_DIR": str(scratch / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(scratch / "cache"),
    }


def _failure(status: int, messages: str) -> Exception:
    """Return what to raise: was it the source, or this machine?"""
    if status in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGXCPU):
        return CompilerKilled("expected to compile, and the compiler was killed. Memory?")
    match = _MACHINE.search(messages)
    if match or status == -signal.SIGXFSZ:
        return OSError(f"clang cannot write its output: {match[0] if match else 'a limit'}")
    return BadProgram(_first_error(status, messages))


def _first_error(status: int, messages: str) -> str:
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-1:]
    return shorten(errors[0], _SHOWN) if errors else f"the compiler ended with status {status}."
