"""The list of the programs of a task: read with care, and written the same every time."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from submitting import (
    MADE,
    made_board,
    made_facts,
)

from llmopt_bench.board_programs import PROGRAMS, programs_file, read_programs, zipped
from llmopt_bench.errors import BadEntry


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return made_board(tmp_path / "leaderboards")


def test_they_are_read_in_their_order(board: Path) -> None:
    assert list(read_programs(board / PROGRAMS, MADE).values()) == made_facts()


def test_equal_programs_are_equal_bytes() -> None:
    data = programs_file(made_facts())
    assert data == programs_file(made_facts())
    assert data[3:8] == bytes(5)  # neither flags (a name) nor a time
    assert gzip.decompress(data).count(b"\n") == 3


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "expected a line of JSON"),
        ("[]", "expected a JSON object"),
        ('{"uri": "p/c"}', "program_sha256, initial, oz: missing"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"uri": "p/a"}, "'p/a': expected every program once"),
        ({"uri": ""}, "uri: expected a string"),
        ({"uri": 1}, "uri: expected a string"),
        ({"program_sha256": "1" * 63}, "program_sha256: expected 64"),
        ({"oz": -1}, "oz: expected an integer"),
        ({"oz": True}, "oz: expected an integer"),
        ({"oz": float("nan")}, "oz: expected an integer"),
        ({"initial": 2**41}, "initial: expected an integer"),
        ({"uri": "p/d"}, "expected the programs of made-v1, got others"),
        ({"uri": "u" * (1 << 16)}, "expected a line of JSON"),
    ],
)
def test_a_wrong_line(board: Path, line: Any, problem: str) -> None:
    facts = [asdict(fact) for fact in made_facts()]
    last = line if isinstance(line, str) else json.dumps({**facts[2], **line})
    text = "".join(f"{json.dumps(fact)}\n" for fact in facts[:2]) + last + "\n"
    (board / PROGRAMS).write_bytes(zipped(text.encode()))
    with pytest.raises(BadEntry) as caught:
        read_programs(board / PROGRAMS, MADE)
    assert problem in str(caught.value)


def test_other_files(board: Path) -> None:
    path = board / PROGRAMS
    for data in (b"", b"text", zipped(b"x")[:-3], zipped(b"\xff\n")):
        path.write_bytes(data)
        with pytest.raises(BadEntry, match=PROGRAMS):
            read_programs(path, MADE)
    path.rename(board / "elsewhere")
    with pytest.raises(BadEntry, match="there is no such file"):
        read_programs(path, MADE)
    path.symlink_to(board / "elsewhere")
    with pytest.raises(BadEntry, match="it is a link"):
        read_programs(path, MADE)
