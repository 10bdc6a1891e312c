"""Where CompilerGym's interpreter is: the one that a variable names, or the one of ``setup``."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from llmopt_bench.data_home import data_home
from llmopt_bench.errors import NoCompilerGym, shorten

VARIABLE = "LLMOPT_COMPILER_GYM_PYTHON"
"""Environment variable that names the interpreter of a CompilerGym of the user's own."""

SETUP = "llmopt-bench compiler-gym setup"
READY = "ready.json"
"""The last file that setup writes: without it, a folder is not a CompilerGym."""


@dataclass(frozen=True, slots=True)
class Place:
    """An interpreter that can import CompilerGym, and what it needs around it."""

    python: Path
    variables: dict[str, str]
    """Environment variables for its process, besides those of this one."""
    origin: str
    """What named it, for people."""


def compiler_gym_home() -> Path:
    """Return the folder that setup makes."""
    return data_home() / "compiler-gym"


def compiler_gym_place() -> Place:
    """Return where CompilerGym is.

    Raises:
        NoCompilerGym: The variable names no program, or nothing has been set up.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _named(named)
    home = compiler_gym_home()
    if not (home / READY).is_file():
        raise NoCompilerGym(
            f"expected CompilerGym in {shorten(str(home), 200)}, got no finished setup. Run "
            f"`{SETUP}`, or name a Python that has compiler_gym in {VARIABLE}."
        )
    return Place(home / "venv/bin/python", variables_of(home), f"`{SETUP}`")


def is_set_up() -> bool:
    """Whether there is an interpreter to try."""
    try:
        compiler_gym_place()
    except NoCompilerGym:
        return False
    return True


def variables_of(home: Path) -> dict[str, str]:
    """Return the variables for the interpreter in a folder of setup."""
    found = {
        "COMPILER_GYM_SITE_DATA": str(home / "site"),
        "COMPILER_GYM_CACHE": str(home / "cache"),
    }
    if (home / "lib").is_dir():
        others = os.environ.get("LD_LIBRARY_PATH")
        found["LD_LIBRARY_PATH"] = ":".join([str(home / "lib"), *([others] if others else [])])
    return found


def facts_of(home: Path) -> dict[str, str]:
    """Return what setup wrote down about the folder it made; nothing if that cannot be read."""
    try:
        facts = json.loads((home / READY).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in facts.items()} if isinstance(facts, dict) else {}


def _named(name: str) -> Place:
    python = shutil.which(os.path.expanduser(name))  # noqa: PTH111  (a name on PATH stays one)
    if python is None:
        raise NoCompilerGym(
            f"expected a Python in {VARIABLE}, got {shorten(name, 200)!r}, which is no program. "
            f"Correct it, or unset it and run `{SETUP}`."
        )
    # Not resolved: the name of a virtual environment's python says which environment it is.
    return Place(Path(python).absolute(), {}, VARIABLE)
