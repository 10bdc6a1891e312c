"""The models that come with the library."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
SHIPPED = MODELS / "llm-v2"
"""The one that answers if no other is named."""


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models by their names; empty where they were left out."""
    return {path.name: path for path in sorted(MODELS.iterdir())} if MODELS.is_dir() else {}
