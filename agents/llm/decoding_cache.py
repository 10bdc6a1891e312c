"""Keys and values of all that a model has read, with room for what it will read."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import cache_utils

_DynamicLayer: Any = cache_utils.DynamicLayer

_ROOM = 256
"""Tokens that there is room for, at least, whenever more is made."""


class _RoomyLayer(_DynamicLayer):  # type: ignore[misc]
    """A layer that does not copy the keys and values of the request for each further token."""

    keys: Tensor | None
    values: Tensor | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffers: list[Tensor] = []

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Add keys and values, and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used = self.get_seq_length()
        end = used + key_states.shape[-2]
        if not self._buffers or end > self._buffers[0].shape[-2]:
            self._buffers = [
                _larger(key_states, self.keys, used, end),
                _larger(value_states, self.values, used, end),
            ]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., used:end, :] = states
        self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
        return self.keys, self.values


def make_cache() -> cache_utils.Cache:
    """Return an empty cache that grows with what is read."""
    return cache_utils.Cache(layer_class_to_replicate=_RoomyLayer)


def _larger(like: Tensor, old: Tensor | None, used: int, end: int) -> Tensor:
    """Return a buffer with what is there already, and room for more."""
    buffer = like.new_empty((*like.shape[:-2], max(2 * used, end + _ROOM), like.shape[-1]))
    if old is not None and used:
        buffer[..., :used, :] = old
    return buffer
