"""Attacks on the files of an entry: each is refused at once, and in little memory."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attacking import CARD_OF_RANDOM, NAME, as_text, read, refused
from submitting import SMALL, board, honest, write_entry

from llmopt_bench import Record
from llmopt_bench.board_programs import zipped
from llmopt_bench.entries import CARD, RECORDS, read_entries
from llmopt_bench.errors import BadEntry

__all__ = ["board", "honest"]


class TestFormat:
    @pytest.mark.parametrize("schema", [0, 3, 99, -1, "2", 2.0, True, None])
    def test_unknown_schema(self, board: Path, honest: list[Record], schema: Any) -> None:
        assert "schema: expected" in refused(board, [as_text(honest[0], schema=schema)])

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("new", 2**63),
            ("new", -1),
            ("oz", 10**300),
            ("initial", 10**300),
            ("wall_seconds", 10**300),
            ("wall_seconds", -1.0),
            ("budget", 10**300),
            ("passes_applied", 10**300),
            ("additional_compilations", 10**300),
            ("seed", 10**300),
            ("repetition", 10**300),
            ("usage", {"tokens": 10**300}),
            ("curve", [[0, 12], [10**300, 1]]),
            ("agent_settings", {"n": 10**4200}),
        ],
    )
    def test_huge_numbers(self, board: Path, honest: list[Record], field: str, value: Any) -> None:
        """Also those that a record may hold: sums, tables and pages are of numbers of 64 bits."""
        first, *others = honest
        lines = [as_text(first, **{field: value}), *map(Record.to_json, others)]
        assert f"{field}: expected" in refused(board, lines)

    def test_a_number_of_too_many_digits(self, board: Path, honest: list[Record]) -> None:
        line = honest[0].to_json().replace('"seed":0', f'"seed":{"9" * 5000}')
        assert "expected a line of JSON" in refused(board, [line])

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
    @pytest.mark.parametrize("field", ["wall_seconds", "new", "budget"])
    def test_no_numbers(self, board: Path, honest: list[Record], field: str, text: str) -> None:
        content = json.loads(honest[0].to_json())
        content[field] = "@"
        line = json.dumps(content).replace('"@"', text)
        assert f"{field}: expected" in refused(board, [line])

    def test_a_nan_among_settings_and_usage(self, board: Path, honest: list[Record]) -> None:
        for field in ("agent_settings", "usage"):
            folder = board / NAME
            message = refused(board, [as_text(honest[0], **{field: {"x": float("nan")}})])
            assert f"{field}: expected" in message
            shutil.rmtree(folder)

    def test_keys_twice_and_unknown_keys(self, board: Path, honest: list[Record]) -> None:
        line = honest[0].to_json()
        twice = line[:-1] + ',"new":1}'
        assert "expected every key once" in refused(board, [twice])
        shutil.rmtree(board / NAME)
        assert "unknown key 'score'" in refused(board, [as_text(honest[0], score=1)])

    def test_notes_without_end(self, board: Path, honest: list[Record]) -> None:
        noisy = replace(honest[0], build={"x": "y" * (1 << 17)})
        assert "characters of notes, got more" in refused(board, [noisy])

    def test_runs_without_end(self, board: Path, honest: list[Record]) -> None:
        runs = [replace(honest[0], budget=4 + n) for n in range(20)]
        assert "expected at most 16 budgets" in refused(board, runs)


class TestBombs:
    @pytest.mark.parametrize("unit", [b"\0", b" ", b"\n", b"[", b'{"a":'])
    def test_a_gzip_bomb_costs_no_memory(self, board: Path, unit: bytes) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, [], NAME)
        with gzip.GzipFile(folder / RECORDS, "wb", compresslevel=1, mtime=0) as stream:
            for _ in range(64):
                stream.write(unit * (1 << 20))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(BadEntry):
            read(folder)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB

    def test_the_same_record_without_end_stops_at_the_second(
        self, board: Path, honest: list[Record]
    ) -> None:
        message = refused(board, [honest[0]] * 10_000)
        assert f"{RECORDS}:2: same run as" in message

    def test_a_file_that_is_too_large(self, board: Path) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, [], NAME)
        os.truncate(folder / RECORDS, 1 << 40)
        with pytest.raises(BadEntry, match="expected at most 268,435,456 bytes"):
            read(folder)

    def test_a_card_that_is_too_large(self, board: Path, honest: list[Record]) -> None:
        text = CARD_OF_RANDOM.to_toml() + "#" * (1 << 20)
        assert "expected at most 65,536 bytes" in refused(board, list(honest), text)

    @pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"PK\x03\x04", b"not gzip"])
    def test_no_gzip(self, board: Path, data: bytes) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, [], NAME)
        (folder / RECORDS).write_bytes(data)
        with pytest.raises(BadEntry):
            read(folder)

    def test_a_cut_file(self, board: Path, honest: list[Record]) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
        data = (folder / RECORDS).read_bytes()
        (folder / RECORDS).write_bytes(data[:-20])
        with pytest.raises(BadEntry, match=RECORDS):
            read(folder)


class TestPaths:
    @pytest.mark.parametrize(
        "program",
        ["../../../etc/passwd", "file:///etc/passwd", "/etc/passwd", "bundled-v1/../../x", "a.bc"],
    )
    def test_a_program_that_is_a_path(
        self, board: Path, honest: list[Record], program: str
    ) -> None:
        message = refused(board, [replace(honest[0], program=program)])
        assert "program: expected one of the 3 of the task" in message

    @pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "..", "a\\b", "a\n", ""])
    def test_an_agent_that_is_a_path(self, board: Path, honest: list[Record], name: str) -> None:
        text = CARD_OF_RANDOM.to_toml().replace('agent = "random"', f"agent = {json.dumps(name)}")
        assert "agent: expected letters, digits" in refused(board, list(honest), text)

    @pytest.mark.parametrize("name", ["random-1 ", "random-2", "Random-1", "-", "random-1\u202e"])
    def test_a_folder_of_another_name(self, board: Path, honest: list[Record], name: str) -> None:
        message = refused(board, list(honest), name=name)
        assert "expected the folder 'random-1', as its card says" in message

    @pytest.mark.parametrize("kind", ["file", "folder", "pipe", "hidden"])
    def test_something_else_in_the_folder(
        self, board: Path, honest: list[Record], kind: str
    ) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
        make: dict[str, Callable[[Path], object]] = {
            "file": Path.touch,
            "folder": Path.mkdir,
            "pipe": os.mkfifo,
            "hidden": Path.touch,
        }
        make[kind](folder / (".git" if kind == "hidden" else "agent.py"))
        with pytest.raises(BadEntry, match="in it and nothing else"):
            read(folder)

    @pytest.mark.parametrize("file", [CARD, RECORDS])
    def test_a_file_that_is_none(self, board: Path, honest: list[Record], file: str) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
        for make in (os.mkfifo, Path.mkdir):
            (folder / file).unlink()
            make(folder / file)
            with pytest.raises(BadEntry, match="expected a plain file"):
                read(folder)

    @pytest.mark.parametrize("file", [CARD, RECORDS])
    def test_a_link_in_place_of_a_file(
        self, board: Path, honest: list[Record], file: str, tmp_path: Path
    ) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
        target = (folder / file).rename(tmp_path / file)
        for link in (target, Path("/dev/zero"), Path("nowhere")):
            (folder / file).symlink_to(link)
            with pytest.raises(BadEntry, match=f"{file}: a link"):
                read(folder)
            (folder / file).unlink()

    def test_a_link_in_place_of_the_folder(
        self, board: Path, honest: list[Record], tmp_path: Path
    ) -> None:
        folder = write_entry(board, CARD_OF_RANDOM, honest, NAME)
        target = folder.rename(tmp_path / NAME)
        folder.symlink_to(target)
        with pytest.raises(BadEntry, match="a link"):
            read(folder)
        with pytest.raises(BadEntry, match="a link"):
            read_entries(board, SMALL)


def test_the_lines_of_an_entry_are_text(board: Path) -> None:
    folder = write_entry(board, CARD_OF_RANDOM, [], NAME)
    (folder / RECORDS).write_bytes(zipped(b"\xff\xfe\n"))
    with pytest.raises(BadEntry, match="utf-8"):
        read(folder)
