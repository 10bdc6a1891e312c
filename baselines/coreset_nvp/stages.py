"""The stages of a training: what they have made so far, their time and their progress."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llmopt_bench import PassList, ProgramGraph, Session, TrainJob

from .config import NvpConfig
from .measure import Measured, measure

NETWORK = "network"
_ENDS = {"candidates": 0.15, "chains": 0.4, "validation": 0.5, "train": 0.75, NETWORK: 1.0}
"""The share of the time that is over when each stage ends."""

Report = Callable[[float, str], None]


class Stages:
    """The stages of one training."""

    def __init__(self, job: TrainJob, config: NvpConfig) -> None:
        self.folder = job.out if config.tables is None else Path(config.tables)
        """Where the tables are."""
        self._job = job
        self._config = config
        self._started = time.monotonic()

    def measure(self, stage: str, uris: Sequence[str], lists: Sequence[PassList]) -> Measured:
        """Return what lists make of functions; from the stage's file if that is there."""
        report = self.report(stage)
        text = f"{stage}: {len(lists)} lists on {len(uris):,} functions"
        return measure(
            uris,
            lists,
            self.folder / f"{stage}.npz",
            lambda done: report(done, text),
            threads=self._config.threads,
            deadline=self.deadline(stage),
        )

    def graphs(self, stage: str, uris: Sequence[str]) -> list[ProgramGraph]:
        """Return the graphs of the functions of a stage."""
        self.report(NETWORK)(0.0, f"{stage}: {len(uris):,} graphs")
        with ThreadPoolExecutor(self._config.threads or len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda uri: Session(uri).graph(), uris))

    def deadline(self, stage: str) -> float:
        """Return when a stage has to end (``time.monotonic``)."""
        minutes = self._job.max_minutes
        return float("inf") if minutes is None else self._started + 60 * minutes * _ENDS[stage]

    def report(self, stage: str) -> Report:
        """Return what takes the share of a stage that is done, and a text."""
        names = list(_ENDS)
        place = names.index(stage)
        begin = _ENDS[names[place - 1]] if place else 0.0

        def report(done: float, text: str) -> None:
            self._job.report(begin + done * (_ENDS[stage] - begin), text)

        return report
