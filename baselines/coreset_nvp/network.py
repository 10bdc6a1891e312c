"""The value network in PyTorch: an encoder of programs, and a head that ranks the lists."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .config import NvpConfig
from .inputs import state_width


class Programs(Protocol):
    """Functions as an encoder takes them."""

    def batch(self, rows: NDArray[np.intp]) -> Any:
        """Return some of them as one input."""


class Encoder(nn.Module):
    """Makes vectors of programs."""

    width: int
    """Of the vectors."""


class Rows:
    """Functions that are vectors."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = torch.from_numpy(vectors)

    def batch(self, rows: NDArray[np.intp]) -> Tensor:
        """Return some of them as one matrix."""
        return self._vectors[torch.from_numpy(rows)]


class Scaled(Encoder):
    """The encoder of vectors: brings each entry to mean 0 and deviation 1."""

    mean: Tensor
    scale: Tensor

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__()
        self.width = vectors.shape[1]
        deviation = vectors.std(axis=0)
        self.register_buffer("mean", torch.from_numpy(vectors.mean(axis=0)))
        # What never varies stays 0, whatever a program has there.
        self.register_buffer("scale", torch.from_numpy(np.where(deviation > 0, deviation, np.inf)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the vectors in the new scale."""
        return (vectors - self.mean) / self.scale


class ValueNetwork(nn.Module):
    """Says for a function, and what lists have made of it so far, which list to try next."""

    def __init__(self, encoder: Encoder, lists: int, config: NvpConfig) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = [config.hidden] * config.layers
        widths = [encoder.width + state_width(lists), *hidden, lists]
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.ModuleList(map(nn.Linear, widths, widths[1:]))

    def encode(self, programs: Any) -> Tensor:
        """Return a vector for each program."""
        return cast("Tensor", self.encoder(programs))

    def rank(self, encoded: Tensor, state: Tensor) -> Tensor:
        """Return the logits of the lists."""
        x = torch.cat([encoded, state], dim=1)
        for layer in self.head[:-1]:
            x = self.dropout(torch.relu(layer(x)))
        return cast("Tensor", self.head[-1](x))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return all weights by name, as they are now."""
        return {
            name: tensor.detach().cpu().numpy().copy() for name, tensor in self.state_dict().items()
        }
