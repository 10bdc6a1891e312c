"""Python packages that only some readers need, imported when they are."""

from __future__ import annotations

import importlib
from typing import Any

from llmopt_bench.errors import MissingTool


def optional(module: str, extra: str) -> Any:
    """Return a module of a package that comes with an extra of this one.

    Raises:
        MissingTool: The package is not installed.
    """
    package = module.partition(".")[0]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise _missing(package, extra, str(error)) from error
    if found.__file__ is None:  # any folder of this name in the working directory
        raise _missing(package, extra, f"{next(iter(found.__path__))} is only a folder")
    return found


def _missing(package: str, extra: str, reason: str) -> MissingTool:
    return MissingTool(
        f"expected the Python package {package}, got none ({reason}). "
        f"Install it with `pip install 'llmopt-bench[{extra}]'`."
    )
