"""Training: what a trainer gets and gives, how trainers are found, and what a folder holds."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from llmopt_bench.agent import import_trouble
from llmopt_bench.agent_settings import Scalar
from llmopt_bench.errors import BadTraining, UnknownName, shorten, shown, unknown
from llmopt_bench.plain_file import write_whole

GROUP = "llmopt_bench.trainers"
"""The entry-point group under which packages register what trains their agents."""

JOB_FILE = "training.json"
"""In the folder of a training: what it was asked for.

A trainer that works in stages, named by its setting ``stage``, has a file for each of them,
``training-STAGE.json``, so that stages can share a folder.
"""
_STAGE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Config = TypeVar("Config")


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What a trainer is asked for."""

    agent: str
    data: tuple[str, ...]
    """Names of datasets, or paths of files; empty for what the trainer takes by itself."""
    out: Path
    """Folder for the model, the checkpoints and the logs; it is there."""
    max_minutes: float | None
    """When to end, at the latest; None for the end that the settings name."""
    seed: int
    resume: bool
    """Go on from the last checkpoint in ``out``."""
    settings: Mapping[str, Scalar]
    report: Callable[[float, str], None]
    """To be called with the share that is done, from 0 to 1, and a short text."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out of a training."""

    model: Path
    """The file that the agent's setting ``model`` takes."""
    validation: Mapping[str, float]
    """Scores on programs that nothing was learnt from, by name; fractions as fractions."""


class Trainer(Protocol):
    """Trains the model of an agent."""

    def __call__(self, job: TrainJob, /) -> Trained:
        """Train until the job's end, and return where the model is and what it scores."""


def trainer_names() -> tuple[str, ...]:
    """Return the names of the agents that can be trained."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def load_trainer(name: str) -> Trainer:
    """Return what trains the agent of this name.

    Raises:
        UnknownName: Nothing is registered under this name.
        BadTraining: What is registered cannot be imported or called.
    """
    points = sorted(entry_points(group=GROUP, name=name), key=lambda point: point.value)
    if not points:
        advice = f"Agents that can be trained: {', '.join(trainer_names()) or 'none'}."
        raise UnknownName(unknown("trainer", shorten(name), trainer_names(), advice))
    module, _, attribute = points[0].value.partition(":")
    try:
        trainer = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadTraining(f"trainer {name!r}: {import_trouble(error)}") from error
    if not callable(trainer):
        raise BadTraining(f"trainer {name!r}: expected a function of a job, got {shown(trainer)}.")
    return cast("Trainer", trainer)


def train(job: TrainJob) -> Trained:
    """Train the model of ``job.agent`` in ``job.out``.

    Raises:
        UnknownName: The agent cannot be trained.
        BadTraining: The folder holds another training, or the job makes no sense.
    """
    trainer = load_trainer(job.agent)
    if job.max_minutes is not None and not (math.isfinite(job.max_minutes) and job.max_minutes > 0):
        raise BadTraining(f"max_minutes: expected more than 0, got {job.max_minutes}. Correct it.")
    path, before = _job_path(job), _files_in(job.out)
    _claim(job, path)
    try:
        return trainer(job)
    except BadTraining:
        # Where nothing was done, a corrected command may use the folder.
        if not job.resume and _files_in(job.out) == before | {path}:
            path.unlink()
        raise


def train_settings(job: TrainJob, config: type[Config]) -> Config:
    """Return the job's settings as an instance of a dataclass, whose fields name what there is.

    A whole number also goes where a fraction is expected; nothing else is converted.

    Raises:
        BadTraining: There is no such setting, or its value is refused.
    """
    if not is_dataclass(config):
        raise TypeError(f"expected a dataclass, got {config!r}")
    defaults = {field.name: field.default for field in fields(config)}
    values: dict[str, Any] = {}
    for name, value in job.settings.items():
        if name not in defaults:
            raise BadTraining(unknown(f"setting of {job.agent}", name, defaults))
        values[name] = _typed(name, value, defaults[name])
    try:
        return cast("Config", config(**values))
    except (TypeError, ValueError) as error:
        raise BadTraining(f"{job.agent}: {shorten(str(error), 300)}. Correct it.") from error


def _typed(name: str, value: Scalar, default: object) -> Scalar:
    """Return the value as the type of the setting's default; any type goes where that is None."""
    if default is None or value is None or type(value) is type(default):
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    raise BadTraining(
        f"setting {name}: expected {type(default).__name__}, as in {default!r}, got "
        f"{shown(value)}. Correct it."
    )


def _job_path(job: TrainJob) -> Path:
    stage = job.settings.get("stage")
    if isinstance(stage, str) and _STAGE.fullmatch(stage) and stage != "all":
        return job.out / f"training-{stage}.json"
    return job.out / JOB_FILE


def _files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


def _claim(job: TrainJob, path: Path) -> None:
    """Write what the folder is for, or see that it is for this."""
    if path.exists() and not job.resume:
        raise BadTraining(f"{job.out} holds a training. Use --resume, or another folder.")
    if job.resume and not path.exists():
        raise BadTraining(f"expected a training in {job.out}, got none. Leave out --resume.")
    asked = {
        "agent": job.agent,
        "data": list(job.data),
        "seed": job.seed,
        "settings": dict(job.settings),
    }
    if job.resume:
        _same_job(asked, _read(path), path)
    else:
        job.out.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(asked, indent=1) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadTraining(f"{path}: {error}. Use another folder.") from error
    if not isinstance(found, dict):
        raise BadTraining(f"{path}: expected an object, got {shown(found)}. Use another folder.")
    return found


def _same_job(asked: Mapping[str, object], found: Mapping[str, object], path: Path) -> None:
    for name, value in asked.items():
        if found.get(name) != value:
            raise BadTraining(
                f"cannot resume: {name} is {shown(value)} now, and {shown(found.get(name))} in "
                f"{path}. Use the same, or another folder."
            )
