"""Where the corpus lies on this machine."""

from __future__ import annotations

from pathlib import Path

from llmopt_bench.data_home import data_home


def corpus_home() -> Path:
    """Return the folder of built datasets."""
    return data_home()
