"""The forward pass of a multi-layer perceptron in NumPy: shipped models run without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _tanh(x: Array) -> Array:
    return np.tanh(x)


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": _relu, "tanh": _tanh}


@dataclass(frozen=True)
class Mlp:
    """Linear layers with an activation between them, as ``torch.nn.Sequential`` has them."""

    layers: tuple[tuple[Array, Array], ...]
    """Weight of shape (outputs, inputs) and bias of shape (outputs,) of each layer."""
    activation: str

    @classmethod
    def of(cls, tensors: Mapping[str, Array], prefix: str, activation: str) -> Mlp:
        """Return the network whose layers are ``{prefix}0.weight``, ``{prefix}0.bias``, and on.

        Raises:
            KeyError: There is no such layer, or it has no bias.
            ValueError: There is no such activation, or the shapes do not fit together.
        """
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation: expected relu or tanh, got {activation!r}")
        layers = [(tensors[f"{prefix}0.weight"], tensors[f"{prefix}0.bias"])]
        while f"{prefix}{len(layers)}.weight" in tensors:
            number = len(layers)
            layers.append((tensors[f"{prefix}{number}.weight"], tensors[f"{prefix}{number}.bias"]))
        _check_shapes(layers)
        return cls(tuple(layers), activation)

    def __call__(self, x: Array) -> Array:
        """Return the outputs, of shape (..., outputs), for inputs of shape (..., inputs)."""
        activate = _ACTIVATIONS[self.activation]
        for number, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if number + 1 < len(self.layers):
                x = activate(x)
        return x


def _check_shapes(layers: list[tuple[Array, Array]]) -> None:
    inputs = layers[0][0].shape[-1]
    for number, (weight, bias) in enumerate(layers):
        if weight.ndim != 2 or weight.shape[1] != inputs or bias.shape != (weight.shape[0],):
            raise ValueError(
                f"layer {number}: expected a weight of shape (outputs, {inputs}) and a bias of "
                f"shape (outputs,), got {weight.shape} and {bias.shape}"
            )
        inputs = weight.shape[0]
