"""What attacks on a leaderboard have in common: an agent, and how its entry is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_entries import made_card
from submitting import SMALL, write_entry

from llmopt_bench import Record
from llmopt_bench.board_programs import PROGRAMS, read_programs
from llmopt_bench.card import Card
from llmopt_bench.entries import Entry, read_entry
from llmopt_bench.errors import BadEntry

CARD_OF_RANDOM = made_card("random")
NAME = CARD_OF_RANDOM.folder


def read(folder: Path) -> Entry:
    """Read an entry of the board of ``SMALL``."""
    return read_entry(folder, SMALL, read_programs(folder.parent / PROGRAMS, SMALL))


def refused(
    board: Path, records: list[Any], card: Card | str = CARD_OF_RANDOM, name: str = NAME
) -> str:
    """Return why an entry of these records, or of lines of text, cannot even be read."""
    folder = write_entry(board, card, records, name)
    with pytest.raises(BadEntry) as caught:
        read(folder)
    message = str(caught.value)
    assert len(message) < 1500
    assert message.isprintable()
    return message


def as_text(record: Record, **changes: Any) -> str:
    """Return the line of a record that says what no record can hold."""
    return json.dumps({**json.loads(record.to_json()), **changes})
