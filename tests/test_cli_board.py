"""The command ``board``."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_entries import made_entry, write_board

from llmopt_bench import board_site
from llmopt_bench.cli import main


class Cli:
    """Runs ``board`` on a folder, in this process."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        """Return what it printed on stdout; ``err`` keeps what it said on stderr."""
        with pytest.raises(SystemExit) as end:
            main(["board", "--leaderboards", str(self.root), *map(str, arguments)])
        out, self.err = self._capture.readouterr()
        assert end.value.code == code, self.err
        return out


@pytest.fixture
def board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    root = tmp_path / "leaderboards"
    write_board(root, made_entry("x", {"a": 900, "b": 900, "c": 900}))
    return Cli(root, capsys)


def test_writes_pages_and_checks_them(board: Cli) -> None:
    page = board.root / "t" / "README.md"
    board("--check", code=1)
    assert board.err == (
        f"error: {board.root / 'README.md'} is missing\nerror: {page} is missing\n"
        "Run: llmopt-bench board\n"
    )
    assert not page.exists()
    assert board() == f"{board.root / 'README.md'}\n{page}\n"
    assert board("--check") == "2 pages are what the records say\n"
    assert board() == ""

    page.write_text(page.read_text("utf-8").replace("+11.11 %", "+12.11 %"), "utf-8")
    board("--check", code=1)
    assert board.err.startswith(f"error: {page} is not what the records say\n")
    assert "+12.11 %" in page.read_text("utf-8")


def test_a_bad_entry_is_said_in_a_line(board: Cli) -> None:
    (board.root / "t" / "x-1" / "card.toml").write_text("schema = 1\n")
    board(code=1)
    assert board.err.startswith("error: ")
    assert "card.toml" in board.err
    assert not (board.root / "README.md").exists()


def test_site(board: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[list[str], Path]] = []
    monkeypatch.setattr(
        board_site,
        "write_site",
        lambda boards, folder: written.append(([b.task.name for b in boards], folder)),
    )
    out = board("--site", tmp_path / "site")
    assert written == [(["t"], tmp_path / "site")]
    assert out.endswith(f"{tmp_path / 'site' / 'index.html'}\n")
    board("--site", tmp_path / "site", "--check", code=2)
    assert "Give one" in board.err
