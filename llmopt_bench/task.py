"""Tasks: what a leaderboard is for, in one TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from llmopt_bench.action_set import DEFAULT_ACTION_SET, NAME
from llmopt_bench.errors import BadTask, UnknownName, shorten, shown, unknown
from llmopt_bench.plain_file import read_plain, reason_of

METRICS = ("instruction_count", "text_size")
"""What can be made small: IR instructions, or bytes of the object's ``.text`` section."""

MAX_BUDGET = 2**63 - 1
MAX_REPETITIONS = 10_000
MAX_FILE_BYTES = 1 << 26
"""A task that lists a million programs has this much text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Programs, action set, metric, budget and repetitions that a score is valid for.

    Anything that could change a score belongs to the content hash, so everything but the
    description. A task whose content changes gets a new name.

    Raises:
        BadTask: A value has the wrong type or range, or values contradict each other.
    """

    name: str
    """Versioned; also the name of a folder, so letters, digits and ``._-`` only."""
    metric: str
    """One of ``METRICS``."""
    budget: int
    """The most additional compilations that an agent may spend on one program."""
    dataset: str | None = None
    """Name of the program set; None if ``programs`` is given."""
    programs: tuple[str, ...] = ()
    """URIs of the programs; empty if ``dataset`` is given."""
    action_set: str = DEFAULT_ACTION_SET
    """Name of the action set, which also says which compiler is meant."""
    repetitions: int = 1
    """How often each agent runs on each program."""
    description: str = ""
    """One or two sentences for people."""

    def __post_init__(self) -> None:
        """Normalise ``programs`` to a tuple and check every value."""
        if isinstance(self.programs, list):
            object.__setattr__(self, "programs", tuple(self.programs))
        self._check_text()
        _check_count("budget", self.budget, 0, MAX_BUDGET)
        _check_count("repetitions", self.repetitions, 1, MAX_REPETITIONS)
        self._check_programs()

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of everything that could change a score."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "description"}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _check_text(self) -> None:
        for key in ("name", "metric", "action_set", "description"):
            value = getattr(self, key)
            if not isinstance(value, str):
                raise BadTask(f"{key}: expected a string, got {shown(value)}. Put it in quotes.")
        for key in ("name", "action_set"):
            if not NAME.fullmatch(getattr(self, key)):
                raise BadTask(
                    f"{key}: expected letters, digits and '._-', 100 at most, got "
                    f"{shown(getattr(self, key))}. Rename it."
                )
        if self.metric not in METRICS:
            raise BadTask(f"metric: {unknown('metric', shorten(self.metric), METRICS)}")

    def _check_programs(self) -> None:
        if self.dataset is not None and not (isinstance(self.dataset, str) and self.dataset):
            raise BadTask(
                f"dataset: expected the name of one, got {shown(self.dataset)}. Correct it."
            )
        uris = self.programs
        if not isinstance(uris, tuple) or not all(isinstance(uri, str) and uri for uri in uris):
            raise BadTask(f"programs: expected a list of URIs, got {shown(uris)}. Correct it.")
        if len(set(uris)) != len(uris):
            raise BadTask("programs: expected every URI once, got one twice. Remove it.")
        if (self.dataset is None) == (not uris):
            raise BadTask("dataset, programs: expected one of the two. Give exactly one.")


def task_names() -> tuple[str, ...]:
    """Return the names of the shipped tasks."""
    files = (resources.files("llmopt_bench") / "tasks").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def make_task(name_or_path: str | Path) -> Task:
    """Return a shipped task by its name, or the task in a ``.toml`` file by its path.

    Raises:
        UnknownName: No such task is shipped, and it is not a path ending in ``.toml``.
        BadTask: The file cannot be read, or a key is missing, unknown or wrong; the message
            names file and key.
    """
    name = str(name_or_path)
    if name in task_names():
        text = (resources.files("llmopt_bench") / "tasks" / f"{name}.toml").read_text("utf-8")
        return _from_toml(text, f"{name}.toml")
    if not name.endswith(".toml"):
        advice = f"Known: {', '.join(task_names())}; or give the path of a .toml file."
        raise UnknownName(unknown("task", shorten(name), task_names(), advice))
    source = shorten(name, 200)
    try:
        text = read_plain(Path(name), MAX_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise BadTask(
            f"{source}: cannot read the task: {reason_of(error)}. Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise BadTask(f"{source}: expected UTF-8 text: {error}. Save it as UTF-8.") from error
    return _from_toml(text, source)


def _from_toml(text: str, source: str) -> Task:
    try:
        table = tomllib.loads(text)
        _check_keys(table)
        return Task(**table)
    # ValueError is also a number of too many digits, RecursionError lists in lists.
    except (ValueError, RecursionError) as error:
        raise BadTask(f"{source}: {shorten(str(error), 500)}") from error


def _check_keys(table: Mapping[str, Any]) -> None:
    known = {field.name: field for field in fields(Task)}
    for key in table:
        if key not in known:
            raise BadTask(unknown("key", shorten(key), known))
    for key, field in known.items():
        if field.default is MISSING and key not in table:
            raise BadTask(f"{key}: this key is missing. Add it.")


def _check_count(key: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadTask(
            f"{key}: expected an integer of {least} or more, {most:,} at most, got "
            f"{shown(value)}. Correct it."
        )
