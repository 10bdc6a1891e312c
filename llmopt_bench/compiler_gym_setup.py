"""``compiler-gym setup``: CompilerGym 0.2.5 in a virtual environment of its own.

It cannot live beside today's gymnasium, numpy and protobuf, and ``pip install compiler_gym``
fails: what it depends on has broken metadata or has moved on. So its packages are installed
without looking at what they ask for, each at a version that is known to work.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from llmopt_bench.compiler_gym_place import READY, compiler_gym_home
from llmopt_bench.compiler_gym_tools import find_python, link_llvm_tools, provide_library, run
from llmopt_bench.errors import NoCompilerGym
from llmopt_bench.plain_file import reason_of

TOOLS = ("pip==24.0", "setuptools==65.5.0", "wheel==0.38.4")
"""What installs the others; later ones refuse the metadata of gym 0.21."""

PACKAGES = (
    "compiler_gym==0.2.5",
    "absl-py==1.4.0",
    "certifi==2023.7.22",
    "charset-normalizer==3.2.0",
    "cloudpickle==2.2.1",
    "deprecated==1.2.14",
    "docker==6.1.3",
    "fasteners==0.19",
    "grpcio==1.43.0",
    "gym==0.21.0",
    "humanize==4.6.0",
    "idna==3.4",
    "networkx==2.8.8",
    "numpy==1.23.5",
    "packaging==23.1",
    "protobuf==3.20.3",
    "pydantic==1.8.2",
    "requests==2.31.0",
    "six==1.16.0",
    "tabulate==0.9.0",
    "typing_extensions==4.7.1",
    "urllib3==1.26.16",
    "websocket-client==1.6.1",
    "wrapt==1.15.0",
)
"""CompilerGym and everything that it imports, for CPython 3.8 to 3.10."""

_IMPORT = "import numpy, grpc, gym, compiler_gym; print(compiler_gym.__version__)"


def set_up(
    python: str | None = None, *, force: bool = False, say: Callable[[str], object] = lambda _: None
) -> Path:
    """Return the folder of a CompilerGym that works, made unless it is there.

    The folder is made beside its place and moved there when it is whole, so that what a failed
    or interrupted setup leaves never looks finished. Takes about a minute and 200 MB.

    Args:
        python: The CPython to use; looked for if None.
        force: Make it again if it is there.
        say: Called with each thing that is done.

    Raises:
        NoCompilerGym: Something is missing, or cannot be downloaded; the message says how to
            get it.
    """
    home = compiler_gym_home()
    if (home / READY).is_file() and not force:
        return home
    chosen = find_python(python)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix="compiler-gym-", dir=home.parent))
    except OSError as error:
        raise _cannot_write(home, error) from error
    try:
        _fill(new, chosen, say)
        _move(new, home)
    except OSError as error:
        raise _cannot_write(home, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return home


def _fill(folder: Path, python: Path, say: Callable[[str], object]) -> None:
    tools = link_llvm_tools(folder / "site/llvm-v0/bin")
    say(f"clang is {tools['clang']}")
    # With this file CompilerGym takes its own tools to be there, and downloads nothing.
    (folder / "site/llvm-v0/.unpacked").touch()
    if provide_library(folder / "lib"):
        say("libtinfo.so.5 is a copy of Debian's")
    say(f"installing {PACKAGES[0]} for {python}")
    inside = str(folder / "venv/bin/python")
    run([str(python), "-I", "-m", "venv", str(folder / "venv")], "make a virtual environment")
    _install(inside, *TOOLS)
    _install(inside, "--no-deps", "--no-build-isolation", *PACKAGES)
    version = run([inside, "-I", "-c", _IMPORT], "import compiler_gym").split()[-1]
    facts = {"compiler_gym": version, "python": str(python), "clang": tools["clang"]}
    (folder / READY).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _install(python: str, *what: str) -> None:
    advice = " Check the connection to PyPI and run this again."
    command = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*command, *what], "install CompilerGym's packages", None, advice)


def _move(new: Path, home: Path) -> None:
    """Put a whole folder in its place; the one that was there is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="compiler-gym-", dir=home.parent) as bin_:
        if home.exists():
            home.rename(Path(bin_, "old"))
        new.chmod(0o755)
        os.rename(new, home)  # noqa: PTH104  (fails if somebody else has put one there)


def _cannot_write(home: Path, error: OSError) -> NoCompilerGym:
    return NoCompilerGym(
        f"cannot write {home}: {reason_of(error)}. Make room, or name another folder with "
        "LLMOPT_DATA."
    )
