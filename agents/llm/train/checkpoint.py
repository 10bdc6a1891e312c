"""Checkpoints: all that a training needs to go on as if it had not been interrupted.

There is no state of a random number generator among it, since a training draws no numbers: the
order of the data is a function of seed and epoch, and the model has no dropout.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM

from llmopt_bench import BadTraining


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    """Steps of the optimizer that are done."""
    epoch: int = 0
    place: int = 0
    """Steps of this epoch that are done."""
    tokens: int = 0
    """Tokens seen, without padding."""
    seconds: float = 0.0
    """Time spent, over all runs."""


@dataclass(frozen=True)
class Plan:
    """What a training has decided when it began, and keeps when it goes on."""

    dtype: str
    """In what the matrices are multiplied."""
    seconds: float
    """What the schedule of the learning rate is spread over, if it is not spread over steps."""
    data: str
    """Hash of what the data is."""


def save_checkpoint(
    path: Path,
    model: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    plan: Plan,
) -> None:
    """Write a checkpoint so that the file is whole, or as it was before."""
    draft = path.with_name(f".{path.name}.tmp")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "plan": asdict(plan),
    }
    torch.save(state, draft)
    draft.replace(path)


def load_checkpoint(path: Path, data: str, device: torch.device) -> dict[str, Any]:
    """Return the state in a checkpoint: ``model``, ``optimizer``, ``progress`` and ``plan``.

    Raises:
        BadTraining: It is of a training on other data.
    """
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    state["plan"], state["progress"] = Plan(**state["plan"]), Progress(**state["progress"])
    if state["plan"].data != data:
        raise BadTraining(
            f"{path}: expected a training on the tokens that are there now, got one on others. "
            "Use another folder."
        )
    return state
