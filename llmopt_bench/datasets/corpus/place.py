"""Where the corpus lies on this machine."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LLMOPT_DATA"
"""Environment variable that names another folder for built datasets."""


def corpus_home() -> Path:
    """Return the folder of built datasets: ``$LLMOPT_DATA`` or ``~/.cache/llmopt-bench``."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "llmopt-bench"
