"""The files of the site: what is in them, and what no entry can put there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_boards import HOSTILE, PROGRAMS, TASK, TASK_PAGE, hostile_board, made_board

pytest.importorskip("jinja2", reason="needs the extra site")

from llmopt_bench import board_site
from llmopt_bench.board import Board, make_board
from llmopt_bench.board_site import site_files, write_site
from llmopt_bench.board_site_data import signed_percent
from llmopt_bench.errors import MissingTool

BOARD = made_board()


class Page(HTMLParser):
    """The elements, addresses and texts of a page."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        return [
            value
            for name, attributes in self.elements
            if tag in (None, name) and (value := attributes.get(attribute)) is not None
        ]


def files_of(*boards: Board) -> dict[str, bytes]:
    return dict(site_files(boards))


def pages_of(*boards: Board) -> Iterator[tuple[str, Page]]:
    for name, content in site_files(boards):
        if name.endswith(".html"):
            yield name, Page(content)


def written(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


class TestPages:
    def test_there_is_a_page_for_each_task_and_each_entry(self) -> None:
        names = {name for name in files_of(BOARD) if name.endswith(".html")}
        agents = ("crammer", "fixed", "learner", "seeker", "talker", "twice")
        entries = {f"tasks/made-v1/agents/{agent}-1.html" for agent in agents}
        assert names == {"index.html", TASK_PAGE, *entries}

    def test_every_link_leads_to_a_file_of_the_site_or_to_an_https_address(
        self, tmp_path: Path
    ) -> None:
        write_site([BOARD, hostile_board(HOSTILE[0])], tmp_path / "site")
        seen = 0
        for page in (tmp_path / "site").rglob("*.html"):
            parsed = Page(page.read_bytes())
            for address in parsed.values("href") + parsed.values("src"):
                if address.startswith(("#", "https://")):
                    continue
                assert (page.parent / unquote(address)).is_file(), f"{page}: {address}"
                seen += 1
        assert seen > 50

    def test_the_task_page_shows_each_standing_of_each_track(self) -> None:
        page = Page(files_of(BOARD)[TASK_PAGE])
        shown = [a for tag, a in page.elements if tag == "tr" and a.get("class") == "standing"]
        expected = sum(len(track.standings) + len(track.apart) for track in BOARD.tracks)
        assert len(shown) == expected
        for track in BOARD.tracks:
            for standing in track.standings:
                assert signed_percent(standing.row.overall_improvement) in page.text

    def test_who_learnt_from_the_test_set_stands_apart(self) -> None:
        content = files_of(BOARD)[TASK_PAGE].decode()
        ranked, *apart = content.split("<tbody")[1].split("data-apart")
        assert "crammer" not in ranked
        assert not apart
        own = Page(files_of(BOARD)["tasks/made-v1/agents/crammer-1.html"])
        assert "Not ranked" in own.text
        assert "Rank" not in own.text.replace("Not ranked", "")

    def test_the_card_is_on_the_page_of_its_entry(self) -> None:
        page = Page(files_of(BOARD)["tasks/made-v1/agents/seeker-1.html"])
        card = BOARD.entries[3].card
        assert card.agent == "seeker"
        for text in (card.description, *card.authors, card.command, card.hardware, card.licence):
            assert text in page.text

    def test_the_index_names_the_best_of_each_track(self) -> None:
        text = Page(files_of(BOARD)["index.html"]).text
        for track in BOARD.tracks:
            assert track.standings[0].card.agent in text
        assert "crammer" not in text

    def test_a_board_without_entries_has_a_page(self) -> None:
        files = files_of(make_board(TASK, []))
        assert "Nobody has submitted" in Page(files[TASK_PAGE]).text
        assert Page(files[TASK_PAGE]).values("src", "script") == ["../../assets/theme.js"]

    def test_no_board_at_all_still_has_an_index(self) -> None:
        assert "There is no board yet." in Page(files_of()["index.html"]).text


class TestHostileText:
    """What strangers write is text, in whatever field it stands."""

    @pytest.mark.parametrize("text", HOSTILE)
    def test_it_makes_no_element(self, text: str) -> None:
        plain = [
            (name, [tag for tag, _ in page.elements])
            for name, page in pages_of(hostile_board("harmless"))
        ]
        attacked = [
            (name, [tag for tag, _ in page.elements])
            for name, page in pages_of(hostile_board(text))
        ]
        assert attacked == plain

    @pytest.mark.parametrize("text", HOSTILE)
    def test_it_is_shown_as_it_is(self, text: str) -> None:
        pages = dict(pages_of(hostile_board(text)))
        entry = pages["tasks/hostile-v1/agents/" + "a" * 60 + "-" + "9" * 60 + ".html"]
        # description, command, author, learnt from, hardware, licence, model, LLVM
        assert entry.text.count(text) == 8
        assert text in pages["tasks/hostile-v1/index.html"].text
        assert text in pages["index.html"].text

    def test_only_https_addresses_become_links(self) -> None:
        for name, page in pages_of(hostile_board(HOSTILE[2])):
            addresses = page.values("href")
            assert not [a for a in addresses if ":" in a and not a.startswith("https://")], name
        outside = [a for a in page.values("href", "a") if a.startswith("https://")]
        assert outside == ["https://example.org/" + "w" * 300]

    def test_marks_that_turn_the_direction_of_text_are_seen(self) -> None:
        # A card refuses them; names of programs and versions come from records.
        pages = dict(pages_of(hostile_board("harmless")))
        assert "\u202e" not in "".join(page.text for page in pages.values())
        board = hostile_board("harmless")
        for entry in board.entries:
            for record in entry.runs[0].records:
                object.__setattr__(record, "llvm_version", "22\u202e1")
        files = files_of(board)
        entry = next(content for name, content in files.items() if "/agents/" in name)
        assert "\u202e".encode() not in entry
        assert "22<U+202E>1" in Page(entry).text

    @pytest.mark.parametrize("text", HOSTILE)
    def test_data_cannot_end_its_script_or_leave_ascii(self, text: str) -> None:
        files = files_of(hostile_board(text + "\N{LINE SEPARATOR}\N{SNOWMAN}".strip("\u2028")))
        scripts = [c for n, c in files.items() if n.endswith(".js") and n.startswith("tasks/")]
        assert len(scripts) == 3
        for script in scripts:
            assert script.isascii()
            assert b"<" not in script
            assert script.count(b"\n") == 2


class TestPolicy:
    @pytest.mark.parametrize("board", [BOARD, hostile_board(HOSTILE[0])], ids=["plain", "hostile"])
    def test_every_page_allows_only_files_of_the_site(self, board: Board) -> None:
        for name, page in pages_of(board):
            policy = [a["content"] for t, a in page.elements if a.get("http-equiv") and t == "meta"]
            assert len(policy) == 1, name
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in str(policy[0])
            assert "unsafe" not in str(policy[0])
            assert "style" not in [tag for tag, _ in page.elements]
            for tag, attributes in page.elements:
                assert not [key for key in attributes if key == "style" or key.startswith("on")]
                assert tag != "script" or attributes.get("src")

    def test_no_script_of_ours_reads_text_as_markup(self) -> None:
        scripts = [c for n, c in files_of().items() if n.startswith("assets/") and n[-3:] == ".js"]
        assert len(scripts) > 5
        for script in scripts:
            for word in (
                b"innerHTML",
                b"outerHTML",
                b"insertAdjacent",
                b"eval(",
                b"document.write",
            ):
                assert word not in script


class TestWriting:
    def test_the_same_boards_give_the_same_bytes(self, tmp_path: Path) -> None:
        boards = [BOARD, hostile_board("harmless")]
        write_site(boards, tmp_path / "first")
        write_site([hostile_board("harmless"), made_board()], tmp_path / "deep" / "second")
        first = written(tmp_path / "first")
        assert first == written(tmp_path / "deep" / "second")
        assert first == files_of(*boards)

    def test_a_site_is_replaced_without_leftovers(self, tmp_path: Path) -> None:
        write_site([BOARD], tmp_path / "site")
        write_site([hostile_board("harmless")], tmp_path / "site")
        assert written(tmp_path / "site") == files_of(hostile_board("harmless"))
        assert [item.name for item in tmp_path.iterdir()] == ["site"]

    def test_an_empty_folder_is_taken(self, tmp_path: Path) -> None:
        write_site([], tmp_path)
        assert "index.html" in written(tmp_path)

    @pytest.mark.parametrize("name", ["thesis.tex", "index.html"])
    def test_another_folder_is_left_alone(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("years of work")
        with pytest.raises(FileExistsError, match="Choose another folder"):
            write_site([BOARD], tmp_path)
        assert written(tmp_path) == {name: b"years of work"}

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        write_site([BOARD], tmp_path / "site")
        (tmp_path / "link").symlink_to("site")
        with pytest.raises(FileExistsError):
            write_site([], tmp_path / "link")
        assert written(tmp_path / "site") == files_of(BOARD)

    def test_what_fails_half_way_leaves_the_old_site(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_site([BOARD], tmp_path / "site")

        def broken(boards: object) -> Iterator[tuple[str, bytes]]:
            yield "index.html", b"half"
            raise OSError("no space left")

        monkeypatch.setattr(board_site, "site_files", broken)
        with pytest.raises(OSError, match="no space left"):
            write_site([], tmp_path / "site")
        monkeypatch.undo()
        assert written(tmp_path / "site") == files_of(BOARD)
        assert [item.name for item in tmp_path.iterdir()] == ["site"]

    def test_a_move_that_fails_brings_the_old_site_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_site([BOARD], tmp_path / "site")
        rename = Path.rename

        def refused(source: Path, target: Path) -> Path:
            if source.name == "new":
                raise OSError("the disk is gone")
            return rename(source, target)

        monkeypatch.setattr(Path, "rename", refused)
        with pytest.raises(OSError, match="the disk is gone"):
            write_site([], tmp_path / "site")
        assert written(tmp_path / "site") == files_of(BOARD)

    def test_without_jinja_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "jinja2", None)
        with pytest.raises(MissingTool, match=r"llmopt-bench\[site\]"):
            write_site([], tmp_path / "site")
        assert list(tmp_path.iterdir()) == []


def test_importing_it_loads_neither_compiler_nor_templates() -> None:
    code = "import json, sys, llmopt_bench.board_site; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(result.stdout))
    assert "llmopt_bench.board_site" in loaded
    assert loaded.isdisjoint({"llmopt_bench._core", "torch", "jinja2", "matplotlib"})


def test_programs_are_those_of_the_task() -> None:
    assert BOARD.programs == PROGRAMS
