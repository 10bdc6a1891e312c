"""A folder of bitcode: all that is in it, and nothing outside."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench.datasets import load_program
from llmopt_bench.datasets.folder import FolderPrograms
from llmopt_bench.errors import BadProgram, UnknownProgram


def code(number: int) -> bytes:
    """Return what looks like bitcode, another for each number."""
    return b"BC\xc0\xde" + number.to_bytes(4, "little")


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for number, name in enumerate(("a.bc", "b c.bc", "d/a.bc", "d/e/f.bc", "z.bc")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(code(number))
        (tmp_path / "notes.txt").touch()
        (tmp_path / "d" / "loop").symlink_to(tmp_path)
        return tmp_path

    def test_files_below(self, folder: Path) -> None:
        dataset = FolderPrograms(folder)
        programs = list(dataset)
        assert [p.bitcode for p in programs] == [code(n) for n in range(5)]
        assert programs[1].uri == f"file://{folder}/b%20c.bc"
        assert dataset.size == 5
        assert list(dataset.uris()) == [p.uri for p in programs]
        assert [dataset.load(p.uri) for p in programs] == programs
        assert [load_program(p.uri) for p in programs] == programs
        rng = np.random.default_rng(1)
        assert {dataset.random(rng).bitcode for _ in range(60)} == {code(n) for n in range(5)}

    def test_iteration_is_lazy(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        programs = iter(FolderPrograms(folder))
        next(programs)
        (folder / "b c.bc").write_bytes(code(77))
        assert next(programs).bitcode == code(77)

    def test_files_that_are_no_programs_are_reported(self, folder: Path) -> None:
        (folder / "b c.bc").write_bytes(b"")
        (folder / "z.bc").write_bytes(b"text")
        dataset = FolderPrograms(folder)
        assert [p.bitcode for p in dataset] == [code(0), code(2), code(3)]
        empty, text = dataset.failures.first
        assert empty.uri == f"file://{folder}/b%20c.bc"
        assert "got an empty file" in empty.reason
        assert "expected LLVM bitcode" in text.reason

    def test_wrong_places(self, folder: Path) -> None:
        (folder / "empty").mkdir()
        for name, error, message in (
            ("empty", UnknownProgram, r"files that end in .bc below .*empty, got none"),
            ("gone", UnknownProgram, "gone, got no file"),
            ("a.bc", BadProgram, "a folder that can be listed, got .*a.bc: Not a directory"),
            ("a\0", BadProgram, "a folder that can be listed, got"),
        ):
            for use in (list, lambda d: d.size, lambda d: list(d.uris())):
                with pytest.raises(error, match=message):
                    use(FolderPrograms(folder / name))
        inner = FolderPrograms(folder / "d")
        for name in ("z.bc", "d/../z.bc", "d/notes.txt"):
            with pytest.raises(UnknownProgram, match=r"expected a .bc file below"):
                inner.load(f"file://{folder}/{name}")
        with pytest.raises(UnknownProgram, match=r"g.bc, got no file"):
            inner.load(f"file://{folder}/d/g.bc")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
    def test_a_folder_that_may_not_be_listed_is_no_empty_one(self, folder: Path) -> None:
        (folder / "d" / "e").chmod(0)
        with pytest.raises(BadProgram, match=r"can be listed, got .*/d/e: Permission denied"):
            list(FolderPrograms(folder))
        (folder / "d" / "e").chmod(0o755)
