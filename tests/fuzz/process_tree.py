"""The processes below one, and whether one has ended."""

from __future__ import annotations

import contextlib
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return the processes below one, whichever of its threads started them."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        threads = Path(f"/proc/{pid}/task").iterdir()
        texts = [(thread / "children").read_text("utf-8") for thread in threads]
        children = [int(child) for text in texts for child in text.split()]
        return children + [below for child in children for below in descendants(child)]
    return []


def is_gone(pid: int) -> bool:
    """Whether a process has ended; its remains are for the init process to bury."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
