"""What CompilerGym needs of this machine: an old CPython, LLVM's tools and a library of Debian."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from llmopt_bench.errors import NoCompilerGym, shorten, shown

PYTHONS = ((3, 10), (3, 9), (3, 8))
"""The CPythons for which all pinned packages exist, the best first."""

LIBRARY = "libtinfo.so.5"
_LAST_TYPED_POINTERS = 14
"""The last LLVM whose tools write IR that LLVM 10 can read."""
_OLDEST = 10
_TOOLS = (
    "clang",
    "llvm-size",
    "llvm-as",
    "llvm-dis",
    "llvm-link",
    "llvm-diff",
    "llvm-stress",
    "llc",
    "lli",
    "opt",
)
# LLVM 10 writes constant expressions that newer LLVMs read in bitcode and no longer in text, which
# is what CompilerGym gives to clang.
_CLANG = """#!/bin/sh
case " $* " in
*" -xir "*) {llvm_as} -o - | {clang} "$@" ;;
*) exec {clang} "$@" ;;
esac
"""
_SECONDS = 300
_LLVMS = Path("/usr/lib")
_ASK = "import sys, ensurepip, venv; print(*sys.version_info[:2], sys.implementation.name)"


def find_python(named: str | None = None) -> Path:
    """Return a CPython that CompilerGym's packages exist for.

    Looked for on PATH and among the versions of pyenv, the newest first.

    Args:
        named: The path or name of the one to use, if the user has chosen.

    Raises:
        NoCompilerGym: There is none, or the named one is another version or cannot make virtual
            environments.
    """
    if named is not None:
        python = shutil.which(Path(named).expanduser())
        if python is None or _version_of(python) not in PYTHONS:
            raise NoCompilerGym(
                f"expected a CPython {_spelled()} with venv and pip, got {shown(named)}. Name "
                "another with --python."
            )
        return Path(python)
    for version, path in _candidates():
        if _version_of(path) == version:
            return Path(path)
    raise NoCompilerGym(
        f"expected a CPython {_spelled()} on PATH or in pyenv's folder, got none. Install one "
        "(`pyenv install 3.10`) and run this again, or name it with --python."
    )


def _spelled() -> str:
    *others, last = (f"{major}.{minor}" for major, minor in PYTHONS)
    return f"{', '.join(others)} or {last}"


def _candidates() -> Iterator[tuple[tuple[int, int], str]]:
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in PYTHONS:
        name = f"{version[0]}.{version[1]}"
        if (path := shutil.which(f"python{name}")) is not None:
            yield version, path
        for folder in sorted(versions.glob(f"{name}.*"), reverse=True):
            yield version, str(folder / "bin/python")


def _version_of(python: str) -> tuple[int, int] | None:
    """Return the version of a CPython that can make virtual environments."""
    try:
        # pyenv's shims on PATH are there, and fail, for versions that are not chosen.
        answer = run([python, "-I", "-c", _ASK], "ask a Python for its version").split()
    except NoCompilerGym:
        return None
    return (int(answer[0]), int(answer[1])) if answer[2:] == ["cpython"] else None


def link_llvm_tools(folder: Path) -> dict[str, str]:
    """Fill a folder with LLVM's tools of this machine; return where each of them is.

    CompilerGym gives the IR of its LLVM 10 to clang to learn the size of machine code, and
    generates programs with the other tools: those of ``llvm-stress`` with tools up to LLVM 14,
    whose pointers still have types, and those of csmith only with a clang as old as LLVM 10. So the
    newest tool up to 14 is taken, or else the oldest.

    Raises:
        NoCompilerGym: There is no clang or no llvm-size.
    """
    folder.mkdir(parents=True)
    found = {tool: path for tool in _TOOLS if (path := _find_tool(tool)) is not None}
    missing = [tool for tool in ("clang", "llvm-size") if tool not in found]
    if missing:
        raise NoCompilerGym(
            f"expected {' and '.join(missing)} of LLVM {_OLDEST} or newer, got none. Run "
            "`apt-get install clang llvm`."
        )
    for tool, path in found.items():
        (folder / tool).symlink_to(path)
    if "llvm-as" in found and _is_old(found["llvm-as"]) and not _is_old(found["clang"]):
        (folder / "clang").unlink()
        (folder / "clang").write_text(
            _CLANG.format(**{tool.replace("-", "_"): path for tool, path in found.items()})
        )
        (folder / "clang").chmod(0o755)
    return {tool: str(path) for tool, path in found.items()}


def _find_tool(tool: str) -> Path | None:
    paths = list(_LLVMS.glob(f"llvm-*/bin/{tool}"))
    versions = {version: path for path in paths if (version := _llvm_of(path)) >= _OLDEST}
    if versions:
        older = [version for version in versions if version <= _LAST_TYPED_POINTERS]
        return versions[max(older) if older else min(versions)]
    on_path = shutil.which(tool)
    return Path(on_path).absolute() if on_path else None


def _llvm_of(path: Path) -> int:
    """Return the version of LLVM that a path of Debian names; 0 if it names none."""
    match = re.search(r"/llvm-(\d+)/bin/", str(path))
    return int(match[1]) if match else 0


def _is_old(path: Path) -> bool:
    return _OLDEST <= _llvm_of(path) <= _LAST_TYPED_POINTERS


def provide_library(folder: Path) -> bool:
    """Put ``libtinfo.so.5`` into a folder, unless this machine has it; return whether it did.

    It comes out of Debian's package, which is downloaded and not installed.

    Raises:
        NoCompilerGym: The package cannot be had.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pass
    else:
        return False
    with tempfile.TemporaryDirectory() as place:
        what = f"get {LIBRARY} from Debian's package libtinfo5"
        advice = " Run `apt-get update` and this again, or `apt-get install libtinfo5`."
        run(["apt-get", "download", "libtinfo5"], what, Path(place), advice)
        packages = [str(path) for path in Path(place).glob("*.deb")]
        run(["dpkg-deb", "-x", *packages, f"{place}/unpacked"], what, Path(place), advice)
        folder.mkdir(parents=True)
        for file in Path(place, "unpacked").rglob("libtinfo.so.5*"):
            # The plain name is a link to the other, and the other becomes a copy.
            shutil.copy2(file, folder / file.name, follow_symlinks=False)
    if not (folder / LIBRARY).exists():
        raise NoCompilerGym(f"expected {LIBRARY} in Debian's package libtinfo5, got none.{advice}")
    return True


def run(command: list[str], what: str, folder: Path | None = None, advice: str = "", /) -> str:
    """Return what a command prints.

    Args:
        command: The command.
        what: What it is to do, for the message.
        folder: Where it runs.
        advice: What to do if it fails; a sentence after a space.

    Raises:
        NoCompilerGym: It is not there, fails, or takes longer than five minutes.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoCompilerGym(f"expected to {what}, got no {command[0]}.{advice}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        text = shorten(" ".join(str(error).split()), 300)
        raise NoCompilerGym(f"expected to {what}, got: {text}.{advice}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        errors = [line for line in said if "error" in line.lower() or line.startswith("E:")]
        raise NoCompilerGym(
            f"expected to {what}, got exit code {done.returncode}: "
            f"{shorten((errors or said)[-1], 300)}.{advice}"
        )
    return done.stdout
