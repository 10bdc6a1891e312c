"""Trains the value network, and keeps the epoch that does best on validation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .config import NvpConfig
from .episodes import Outcomes, chosen_lists, episode_loss
from .improvement import improvement_at
from .measure import Measured
from .network import Programs, ValueNetwork

_BATCH = 1024


@dataclass(frozen=True)
class Split:
    """Functions, as the encoder takes them and as they were measured."""

    programs: Programs
    table: Measured


@dataclass(frozen=True)
class Fitted:
    """The best epoch of a training."""

    arrays: dict[str, NDArray[np.float32]]
    epoch: int
    curve: list[float]
    """Overall improvement on validation after each epoch."""


def fit(
    network: ValueNetwork,
    train: Split,
    validation: Split,
    config: NvpConfig,
    seed: int,
    report: Callable[[float, str], None],
    deadline: float,
) -> Fitted:
    """Train a network where its parameters are.

    The same seed gives the same network on the same machine, if that trains on its processor.
    No epoch begins after the deadline (``time.monotonic``), but for the first.
    """
    rng = np.random.default_rng(seed)
    device = next(network.parameters()).device
    outcomes = Outcomes.of(train.table).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), config.rate, weight_decay=config.decay)
    steps = -(-len(train.table) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.rate, total_steps=steps * config.epochs
    )
    best, curve = Fitted({}, 0, []), list[float]()
    for epoch in range(config.epochs):
        if curve and time.monotonic() > deadline:
            break
        network.train()
        for rows in np.array_split(rng.permutation(len(train.table)), steps):
            encoded = network.encode(train.programs.batch(rows).to(device))
            loss = episode_loss(network, encoded, outcomes.rows(rows), config)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        order = tried_by(network, validation, config)
        curve.append(improvement_at(order, validation.table, config.tries))
        if curve[-1] == max(curve):
            best = Fitted(network.arrays(), epoch + 1, [])
        report((epoch + 1) / config.epochs, f"epoch {epoch + 1}: {curve[-1]:+.2%} on validation")
    return replace(best, curve=curve)


@torch.no_grad()
def tried_by(
    network: ValueNetwork, split: Split, config: NvpConfig, tries: int | None = None
) -> NDArray[np.intp]:
    """Return the lists that a network would try on functions, (functions, tries)."""
    network.eval()
    device = next(network.parameters()).device
    rows = np.arange(len(split.table))
    parts: list[Tensor] = [
        network.encode(split.programs.batch(some).to(device))
        for some in np.array_split(rows, -(-len(rows) // _BATCH))
    ]
    outcomes = Outcomes.of(split.table).to(device)
    count = config.tries if tries is None else tries
    return chosen_lists(network, torch.cat(parts), outcomes, count, config.adaptive)
