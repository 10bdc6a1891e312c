"""The folder of leaderboards: its boards, and whether its pages say what the records say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from llmopt_bench.board import Board, make_board
from llmopt_bench.board_pages import MARK
from llmopt_bench.board_programs import PROGRAMS, read_programs
from llmopt_bench.entries import entry_folders, read_entry, task_folders, task_of
from llmopt_bench.plain_file import open_plain, read_plain, reason_of, write_whole

_PAGE_SUFFIX = ".md"
_MAX_PAGE_BYTES = 1 << 26


def read_boards(root: Path) -> list[Board]:
    """Return the board of each task in ``root``, by name.

    Raises:
        BadEntry: There is no such folder, one in it is of no task, or an entry breaks a rule.
        BadRecord: Entries disagree on a program.
    """
    return [_read_board(folder) for folder in task_folders(root)]


def differing_pages(root: Path, pages: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with pages in ``root``, by their paths below it; empty if nothing is.

    Args:
        root: The folder of leaderboards.
        pages: What ``board_pages.pages`` gives for its boards.
    """
    wrong = {name: "is left over" for name in _left_over(root, pages)}
    for name, text in pages.items():
        try:
            found = read_plain(root / name, _MAX_PAGE_BYTES)
        except FileNotFoundError:
            wrong[name] = "is missing"
            continue
        except OSError as error:
            wrong[name] = f"cannot be read: {reason_of(error)}"
            continue
        if found != text.encode():
            wrong[name] = "is not what the records say"
    return dict(sorted(wrong.items()))


def write_pages(root: Path, pages: Mapping[str, str]) -> list[str]:
    """Write the pages that differ, remove those that are left over, and return their paths.

    Raises:
        OSError: One cannot be written.
    """
    changed = list(differing_pages(root, pages))
    for name in changed:
        if name in pages:
            write_whole(root / name, pages[name].encode())
        else:
            (root / name).unlink()
    return changed


def _read_board(folder: Path) -> Board:
    task = task_of(folder)
    programs = read_programs(folder / PROGRAMS, task)
    entries = [read_entry(entry, task, programs) for entry in entry_folders(folder)]
    return make_board(task, entries, programs)


def _left_over(root: Path, pages: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of pages of ours that nothing makes any more, as of a task that is gone."""
    for path in (*root.glob(f"*{_PAGE_SUFFIX}"), *root.glob(f"*/*{_PAGE_SUFFIX}")):
        name = path.relative_to(root).as_posix()
        if name not in pages and _is_ours(path):
            yield name


def _is_ours(path: Path) -> bool:
    """Whether a file begins as the pages do. What people wrote here is theirs."""
    try:
        with open_plain(path) as stream:
            return stream.read(len(MARK)) == MARK.encode()
    except OSError:
        return False
