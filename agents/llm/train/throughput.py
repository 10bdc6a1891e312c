"""How fast a training is, beside how fast this machine could be."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from .batches import Batch

_SIDE = {"cpu": 1024, "cuda": 8192}
_SECONDS = 0.2


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating point operations a second of a large matrix product."""
    side = _SIDE[device.type]
    one = torch.ones(side, side, device=device, dtype=dtype)
    two = torch.ones(side, side, device=device, dtype=dtype)
    best = 0.0
    end = time.perf_counter() + _SECONDS
    one @ two  # the first one also loads the kernels
    while not best or time.perf_counter() < end:
        _wait(device)
        begin = time.perf_counter()
        one @ two
        _wait(device)
        best = max(best, 2.0 * side**3 / (time.perf_counter() - begin))
    return best


def faster_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where matrices are multiplied clearly faster in it, else float32."""
    faster = matmul_peak(device, torch.bfloat16) > 1.5 * matmul_peak(device, torch.float32)
    return torch.bfloat16 if faster else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which matrices are multiplied in a type."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Meter:
    """What happened since the last line of the log.

    Args:
        peak: What ``matmul_peak`` gave.
    """

    def __init__(self, peak: float) -> None:
        self._peak = peak
        self._reset()

    def add(
        self, loss_and_norm: tuple[Tensor, Tensor], batches: Sequence[Batch], flops: float
    ) -> None:
        """Count a step."""
        self._losses.append(loss_and_norm[0])
        self._norms.append(loss_and_norm[1])
        self._tokens += sum(int(batch.lengths.sum()) for batch in batches)
        self._flops += flops

    def values(self) -> dict[str, float]:
        """Return what to log, and begin anew."""
        values = {
            "loss": float(torch.stack(self._losses).mean()),
            "gradient_norm": float(torch.stack(self._norms).mean()),
        }
        # The device is done with all steps when it has told their losses.
        seconds = time.perf_counter() - self._began
        values["tokens_per_second"] = self._tokens / seconds
        values["model_flop_utilisation"] = self._flops / seconds / self._peak
        self._reset()
        return values

    def _reset(self) -> None:
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._tokens, self._flops = 0, 0.0
        self._began = time.perf_counter()
