"""The stages of a training: where their results are, their time and their progress."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmopt_bench import BadTraining, TrainJob, write_whole

from .config import STAGES, LlmConfig

ABOUT = "about.json"
"""Written last into the folder of a stage: what the stage has made is whole where it is."""

_FOLDERS = {"data": "data", "tokenizer": "tokenizer", "tokens": "tokens", "train": "model"}
_ENDS = {"data": 0.15, "tokenizer": 0.18, "tokens": 0.2, "train": 0.95, "eval": 1.0}
"""The share of the time that is over when each stage ends, if all of them run."""
_OWN = ("train", "eval")
"""Stages whose results are never taken from another training."""

Report = Callable[[float, str], None]


class Stages:
    """The stages of one training."""

    def __init__(self, job: TrainJob, config: LlmConfig) -> None:
        self.job = job
        self.config = config
        self._started = time.monotonic()

    @property
    def threads(self) -> int:
        """How many threads a stage may use."""
        return self.config.threads or len(os.sched_getaffinity(0))

    def folder(self, stage: str) -> Path:
        """Return where a stage of this training writes."""
        return self.job.out / _FOLDERS.get(stage, stage)

    def finished(self, stage: str) -> Path | None:
        """Return the folder with the results of a stage: of this training, then of ``inputs``."""
        places = [self.folder(stage)]
        if self.config.inputs is not None and stage not in _OWN:
            places.append(Path(self.config.inputs) / _FOLDERS[stage])
        return next((place for place in places if (place / ABOUT).exists()), None)

    def to_do(self, stage: str) -> bool:
        """Whether a stage has no results yet, or those of a training that had no more time."""
        found = self.finished(stage)
        return found is None or not read_about(found).get("finished", True)

    def results(self, stage: str) -> Path:
        """Return the folder with the results of a stage.

        Raises:
            BadTraining: They are not there.
        """
        found = self.finished(stage)
        if found is None:
            raise BadTraining(
                f"expected the results of stage {stage} in {self.folder(stage)}, got none. Run it "
                f"first, with --set stage={stage}, or name the training that has them with "
                "--set inputs=FOLDER."
            )
        return found

    def finish(self, stage: str, about: Mapping[str, Any]) -> None:
        """Say what a stage has made, now that it is whole."""
        text = json.dumps(about, indent=1, sort_keys=True) + "\n"
        write_whole(self.folder(stage) / ABOUT, text.encode())

    def deadline(self, stage: str) -> float:
        """Return when a stage has to end (``time.monotonic``)."""
        minutes = self.job.max_minutes
        if minutes is None:
            return float("inf")
        return self._started + 60 * minutes * self._span(stage)[1]

    def report(self, stage: str) -> Report:
        """Return what takes the share of a stage that is done, and a text."""
        begin, end = self._span(stage)

        def report(done: float, text: str) -> None:
            self.job.report(begin + done * (end - begin), f"{stage}: {text}")

        return report

    def _span(self, stage: str) -> tuple[float, float]:
        """Return which part of the whole time a stage has."""
        if self.config.stage != "all":
            return 0.0, 1.0
        place = STAGES.index(stage)
        return (_ENDS[STAGES[place - 1]] if place else 0.0), _ENDS[stage]


def read_about(folder: Path) -> dict[str, Any]:
    """Return what a stage says of its results."""
    about: dict[str, Any] = json.loads((folder / ABOUT).read_text("utf-8"))
    return about
