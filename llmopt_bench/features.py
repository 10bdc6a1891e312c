"""Feature vectors of modules, by name.

``autophase`` (56 integers; Haj-Ali et al., "AutoPhase", MLSys 2020) and ``instcount`` (70) follow
the definitions of LLVM 10 as CompilerGym 0.2.5 computes them, so that they compare over LLVM
versions. ``autophase_native`` and ``instcount_native`` are what today's LLVM says: there freeze is
a unary instruction, the values of a switch are no operands, and ptrtoaddr is an opcode.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import _core
from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.isolation import Module

_Fill = Callable[[Module, NDArray[np.int64]], None]

_FILL: dict[str, _Fill] = {
    "autophase": lambda module, out: module.autophase(out),
    "autophase_native": lambda module, out: module.autophase(out, native=True),
    "instcount": lambda module, out: module.instcount(out),
    "instcount_native": lambda module, out: module.instcount(out, native=True),
}
_NAMES: dict[str, Callable[[], list[str]]] = {
    "autophase": _core.autophase_names,
    "autophase_native": _core.autophase_names,
    "instcount": _core.instcount_names,
    "instcount_native": lambda: _core.instcount_names(native=True),
}


def feature_sets() -> tuple[str, ...]:
    """Return the names of the feature vectors."""
    return tuple(_NAMES)


@cache
def feature_names(name: str) -> tuple[str, ...]:
    """Return the names of the features of one vector, in order.

    Args:
        name: ``autophase``, ``autophase_native``, ``instcount`` or ``instcount_native``.

    Raises:
        UnknownName: There is no such vector.
    """
    if name not in _NAMES:
        raise UnknownName(unknown("feature vector", name, _NAMES))
    return tuple(_NAMES[name]())


def compute_features(module: Module, name: str) -> NDArray[np.int64]:
    """Return the feature vector ``name`` of a module: int64 of shape (len(feature_names(name)),).

    Raises:
        UnknownName: There is no such vector.
    """
    out = np.empty(len(feature_names(name)), dtype=np.int64)
    _FILL[name](module, out)
    return out
