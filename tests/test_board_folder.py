"""A folder of leaderboards: read, written, and held against its records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_entries import TASK, made_entry, write_board, write_entry

from llmopt_bench.board import make_board
from llmopt_bench.board_folder import differing_pages, read_boards, write_pages
from llmopt_bench.board_pages import MARK, pages
from llmopt_bench.errors import BadEntry

FIRST = made_entry("first", {"a": 900, "b": 900, "c": 900})
SECOND = made_entry("second", {"a": 950, "b": 980, "c": 990})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_board(tmp_path, FIRST, SECOND)
    return tmp_path


def wanted(root: Path) -> dict[str, str]:
    return pages(read_boards(root))


def test_what_is_read_is_what_was_written(root: Path) -> None:
    assert read_boards(root) == [make_board(TASK, [SECOND, FIRST])]


def test_a_board_without_entries_knows_its_programs(tmp_path: Path) -> None:
    write_board(tmp_path)
    (board,) = read_boards(tmp_path)
    assert (board.programs, board.entries) == (("a", "b", "c"), ())


def test_pages_are_written_once_and_hold_from_then_on(root: Path) -> None:
    expected = wanted(root)
    assert differing_pages(root, expected) == {
        "README.md": "is missing",
        "t/README.md": "is missing",
    }
    assert write_pages(root, expected) == ["README.md", "t/README.md"]
    assert {name: (root / name).read_text("utf-8") for name in expected} == expected
    assert differing_pages(root, wanted(root)) == {}
    assert write_pages(root, wanted(root)) == []


@pytest.mark.parametrize("name", ["README.md", "t/README.md"])
def test_a_changed_byte_is_found_and_mended(root: Path, name: str) -> None:
    write_pages(root, wanted(root))
    page = root / name
    page.write_bytes(page.read_bytes().replace(b"first", b"First", 1))
    assert differing_pages(root, wanted(root)) == {name: "is not what the records say"}
    assert write_pages(root, wanted(root)) == [name]
    assert differing_pages(root, wanted(root)) == {}


def test_a_new_entry_makes_pages_differ(root: Path) -> None:
    write_pages(root, wanted(root))
    write_entry(root / "t", made_entry("third", {"a": 990, "b": 990, "c": 990}))
    assert set(differing_pages(root, wanted(root))) == {"README.md", "t/README.md"}


def test_pages_of_ours_that_nothing_makes_go_and_others_stay(root: Path) -> None:
    old, theirs = root / "gone" / "README.md", root / "NOTES.md"
    write_pages(root, wanted(root))
    old.parent.mkdir()
    old.write_text(f"{MARK}\n\n# Gone\n")
    theirs.write_text("# Mine\n")
    assert differing_pages(root, wanted(root)) == {"gone/README.md": "is left over"}
    assert write_pages(root, wanted(root)) == ["gone/README.md"]
    assert not old.exists()
    assert theirs.exists()


def test_a_page_that_is_no_file_is_said_and_not_waited_for(root: Path) -> None:
    write_pages(root, wanted(root))
    (root / "t" / "README.md").unlink()
    os.mkfifo(root / "t" / "README.md")
    problem = "cannot be read: it is not a plain file"
    assert differing_pages(root, wanted(root)) == {"t/README.md": problem}


@pytest.mark.parametrize(
    ("file", "message"),
    [("task.toml", "t: expected the name of a task"), ("x-1/notes.txt", "x-1: expected card.toml")],
)
def test_what_no_board_can_be_read_from(root: Path, file: str, message: str) -> None:
    if (root / "t" / file).exists():
        (root / "t" / file).unlink()
    else:
        (root / "t" / file).parent.mkdir()
    with pytest.raises(BadEntry, match=message):
        read_boards(root)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadEntry, match="none: cannot read the folder"):
        read_boards(tmp_path / "none")
