"""Where this library keeps what it builds on this machine."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LLMOPT_DATA"
"""Environment variable that names another folder."""


def data_home() -> Path:
    """Return the folder of what was built: ``$LLMOPT_DATA`` or ``~/.cache/llmopt-bench``."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "llmopt-bench"
