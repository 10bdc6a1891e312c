"""Lines of plain and compressed files: any of them, by number, and never half a file."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from json_lines_files import SUFFIXES, archive, pack

from llmopt_bench.datasets import json_lines
from llmopt_bench.datasets.json_lines import STRIDE, JsonLines
from llmopt_bench.errors import BadProgram


def numbered(count: int) -> bytes:
    return b"".join(b"%d %s\n" % (n, b"x" * (n % 7)) for n in range(count))


class TestLines:
    ROWS = 3 * STRIDE + 5

    @pytest.fixture(params=SUFFIXES)
    def path(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        path = tmp_path / f"x{request.param}"
        path.write_bytes(pack(request.param, numbered(self.ROWS)))
        return path

    def test_any_line_in_any_order(self, path: Path) -> None:
        expected = numbered(self.ROWS).splitlines(keepends=True)
        lines = JsonLines(path)
        assert list(lines) == expected
        rng = np.random.default_rng(3)
        for number in [*rng.integers(self.ROWS, size=60).tolist(), 0, 0, self.ROWS - 1]:
            assert lines.line(number) == expected[number]
        assert lines.count() == self.ROWS

    def test_lines_in_order_cost_one_pass(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = count_openings(monkeypatch)
        lines = JsonLines(path)
        for number in range(0, self.ROWS, 3):
            lines.line(number)
            lines.line(number)
        assert len(opened) == 1

    def test_a_plain_file_is_read_from_the_nearest_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x.jsonl"
        path.write_bytes(numbered(self.ROWS))
        lines = JsonLines(path)
        lines.line(self.ROWS - 1)
        read: list[int] = []
        bounded = json_lines._bounded

        def counted(stream: Any) -> Any:
            for length, line in bounded(stream):
                read.append(length)
                yield length, line

        lines.line(0)
        monkeypatch.setattr(json_lines, "_bounded", counted)
        assert lines.line(2 * STRIDE + 9) == numbered(self.ROWS).splitlines(True)[2 * STRIDE + 9]
        assert len(read) == 10

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_forked_process_does_not_move_its_parent(self, tmp_path: Path, suffix: str) -> None:
        # More than any buffer takes in one piece.
        noise = np.random.default_rng(1).bytes(2_000 * self.ROWS).hex().encode()
        expected = [noise[n * 4_000 : n * 4_000 + 4_000] + b"\n" for n in range(self.ROWS)]
        path = tmp_path / f"x{suffix}"
        path.write_bytes(pack(suffix, b"".join(expected)))
        lines = JsonLines(path)
        lines.line(3)
        child = os.fork()
        if child == 0:
            os._exit(int(lines.line(self.ROWS - 1) != expected[-1]))
        assert os.waitpid(child, 0)[1] == 0
        assert [lines.line(n) for n in range(4, self.ROWS)] == expected[4:]

    def test_a_line_that_is_too_long_is_one_line(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(json_lines, "MAX_LINE", 9)
        expected = [
            line if len(line) <= 9 else None for line in numbered(self.ROWS).splitlines(True)
        ]
        assert expected.count(None) > 10
        lines = JsonLines(path)
        assert list(lines) == expected
        assert [lines.line(n) for n in range(self.ROWS)] == expected
        # A second way, that starts at remembered places.
        assert [lines.line(n) for n in reversed(range(self.ROWS))] == expected[::-1]

    @pytest.mark.parametrize("suffix", SUFFIXES[1:])
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data[:-9],
            lambda data: data[: len(data) // 2],
            lambda data: data[: len(data) // 2] + bytes(40) + data[len(data) // 2 + 40 :],
            lambda data: b"neither " * 99,
        ],
    )
    def test_broken_files(
        self, tmp_path: Path, suffix: str, spoil: Callable[[bytes], bytes]
    ) -> None:
        path = tmp_path / f"x{suffix}"
        noise = np.random.default_rng(1).bytes(300_000).hex().encode()
        rows = b"".join(b"%s\n" % noise[n : n + 3_000] for n in range(0, len(noise), 3_000))
        path.write_bytes(pack(suffix, rows))
        assert JsonLines(path).count() == 200
        path.write_bytes(spoil(pack(suffix, rows)))
        with pytest.raises(BadProgram, match=r"complete file, got .*breaks off after \d+ rows: .+"):
            list(JsonLines(path))
        with pytest.raises(BadProgram, match=r"Download it again"):
            JsonLines(path).line(99_999)

    def test_an_archive_that_is_cut_between_two_files(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tar.gz"
        whole = gzip.decompress(archive({"a.jsonl": b"1\n", "b.jsonl": b"2\n"}))
        # Compressed block by block, so that the cut is where the second header would begin.
        packer = zlib.compressobj(wbits=31)
        first = packer.compress(whole[:1024]) + packer.flush(zlib.Z_FULL_FLUSH)
        path.write_bytes(first + packer.compress(whole[1024:]) + packer.flush())
        assert JsonLines(path).count() == 2
        path.write_bytes(first)
        with pytest.raises(BadProgram, match="Compressed file ended before the end"):
            list(JsonLines(path))

    def test_an_archive_without_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tar.gz"
        path.write_bytes(archive({"README": b"text", "../../x.json": b"{}"}))
        with pytest.raises(BadProgram, match=r"after 0 rows: no file in it ends in .jsonl, "):
            JsonLines(path).line(0)


def count_openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    opened: list[Path] = []
    original = json_lines.open_named

    def counted(path: Path) -> Any:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(json_lines, "open_named", counted)
    return opened
