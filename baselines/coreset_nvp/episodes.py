"""Trying lists one after the other, for many functions at once, on a table of what they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .config import NvpConfig
from .inputs import saving_of
from .measure import Measured
from .network import ValueNetwork

_NEVER = -1e9
"""The logit of a list that was tried: finite, since its share of the loss is 0 times this."""


@dataclass(frozen=True)
class Outcomes:
    """What the lists make of functions, as tensors."""

    values: Tensor
    """(functions, lists): (Oz - new) / Oz."""
    nothing: Tensor
    """(functions,): the value of the empty list, which needs no compilation."""
    savings: Tensor
    """(functions, lists): as the network sees them."""
    sizes: Tensor
    """(functions,): what -Oz makes of them, which is what they weigh."""

    @classmethod
    def of(cls, table: Measured) -> Outcomes:
        """Return the outcomes of a table."""
        oz = np.maximum(table.oz, 1)
        values = 1 - table.sizes / oz[:, None]
        savings = saving_of(table.sizes, table.initial[:, None])
        parts = (values, 1 - table.initial / oz, savings, oz)
        return cls(*(torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in parts))

    def rows(self, rows: NDArray[np.intp]) -> Outcomes:
        """Return those of some functions."""
        index = torch.from_numpy(rows)
        return Outcomes(*(part[index] for part in self._parts()))

    def to(self, device: torch.device) -> Outcomes:
        """Return the same on another device."""
        return Outcomes(*(part.to(device) for part in self._parts()))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.values, self.nothing, self.savings, self.sizes


class Episode:
    """Functions, and the lists that were tried on each so far."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self.tried = torch.zeros_like(outcomes.values)
        self.best = outcomes.nothing
        """(functions,): the best value so far."""

    @property
    def state(self) -> Tensor:
        """What the network sees of it; ``inputs.state_of`` is the same for one function."""
        return torch.cat([self.tried, self.tried * self._outcomes.savings], dim=1)

    def masked(self, logits: Tensor) -> Tensor:
        """Return the logits without the lists that were tried."""
        return logits.masked_fill(self.tried > 0, _NEVER)

    def target(self, temperature: float) -> Tensor:
        """Return the logarithm of the distribution to learn.

        It is the softmax of the value that would be the best one after each list: at first the
        target of arXiv 2301.05104, later that of the lists which improve on those before.
        """
        reached = torch.maximum(self._outcomes.values, self.best[:, None])
        return torch.log_softmax(self.masked(reached / temperature), dim=1)

    def open(self) -> Tensor:
        """Return the weight of each function that can still improve, and 0 for the others."""
        return self._outcomes.sizes * (self._outcomes.values.amax(dim=1) > self.best)

    def take(self, lists: Tensor) -> None:
        """Try one list on each function."""
        column = lists[:, None]
        self.tried = self.tried.scatter(1, column, 1.0)
        values = self._outcomes.values.gather(1, column)[:, 0]
        self.best = torch.maximum(self.best, values)


def episode_loss(
    network: ValueNetwork, encoded: Tensor, outcomes: Outcomes, config: NvpConfig
) -> Tensor:
    """Return how far the network is from the target, over the lists that it would try itself.

    The lists are drawn from what the network says, so that it learns what to do in the states that
    it gets into. A network that is not adaptive has one state only.
    """
    episode, losses = Episode(outcomes), []
    for _ in range(config.tries if config.adaptive else 1):
        said = torch.log_softmax(episode.masked(network.rank(encoded, episode.state)), dim=1)
        distance = divergence(said, episode.target(config.temperature), config.objective)
        weight = episode.open() if config.weighted else (episode.open() > 0).float()
        losses.append((distance * weight).sum() / weight.sum().clamp(min=1))
        episode.take(torch.multinomial(said.detach().exp(), 1)[:, 0])
    return torch.stack(losses).mean()


def divergence(said: Tensor, target: Tensor, objective: str) -> Tensor:
    """Return how far distributions are from their targets; all are logarithms.

    The cross entropy wants every list that is good to be likely. The reverse divergence,
    KL(said || target), wants every list that is likely to be good: it is, but for a constant, the
    expected value over the temperature, plus the entropy. That suits a few tries better.
    """
    if objective == "cross-entropy":
        return -(target.exp() * said).sum(dim=1)
    return (said.exp() * (said - target)).sum(dim=1)


@torch.no_grad()
def chosen_lists(
    network: ValueNetwork, encoded: Tensor, outcomes: Outcomes, tries: int, adaptive: bool
) -> NDArray[np.intp]:
    """Return the lists that would be tried, (functions, tries), the first one first."""
    episode, chosen = Episode(outcomes), []
    blank = torch.zeros_like(episode.state)
    for _ in range(tries):
        state = episode.state if adaptive else blank
        lists = episode.masked(network.rank(encoded, state)).argmax(dim=1)
        episode.take(lists)
        chosen.append(lists.cpu().numpy())
    return np.stack(chosen, axis=1)
