"""The log of a training: JSON lines, and TensorBoard where that is installed."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any


class Journal:
    """Writes what is known at some steps.

    Args:
        folder: Where to; ``train.jsonl`` and ``tensorboard/`` are made there.
        step: Where the training goes on; lines of later steps are of a run that was interrupted,
            and are removed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "train.jsonl"
        old = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in old if json.loads(line)["step"] <= step]
        self._path.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        self._board = _tensorboard(folder / "tensorboard", step)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Write values by name."""
        line = {
            name: float(f"{value:.6g}") if isinstance(value, float) else value
            for name, value in values.items()
        }
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **line}) + "\n")
        if self._board is not None:
            for name, value in line.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish the files."""
        if self._board is not None:
            self._board.close()


def _tensorboard(folder: Path, step: int) -> Any:
    """Return a writer for TensorBoard; None if that is not installed."""
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError:
        return None
    return module.SummaryWriter(str(folder), purge_step=step + 1)
