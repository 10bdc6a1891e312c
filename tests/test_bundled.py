"""The bundled programs: what is shipped is what the sources say, and it works."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import build_bundled
from llmopt_bench.datasets.build_bundled import sources
from llmopt_bench.datasets.bundled import DATA, Entry, entries
from llmopt_bench.execution import Expected, Limits, execute

ROOT = Path(str(DATA))
ENTRIES = tuple(entries().values())
needs_clang = pytest.mark.skipif(shutil.which("clang-22") is None, reason="needs clang-22")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def behaves(entry: Entry, bitcode: bytes) -> bool:
    """Whether a version of a program does what the manifest says."""
    expected = Expected(entry.stdout_sha256, entry.exit_code)
    return expected.difference(execute(bitcode, entry.name)) is None


def failing(check: Callable[[Entry], bool], among: Iterable[Entry] = ENTRIES) -> list[str]:
    """Return the names that fail a check; two at a time, since a compiler is at work."""
    among = list(among)
    with ThreadPoolExecutor(2) as pool:
        return [e.name for e, good in zip(among, pool.map(check, among), strict=True) if not good]


class TestManifest:
    def test_there_are_enough_programs_of_many_kinds_and_lengths(self) -> None:
        kinds = Counter(entry.kind for entry in ENTRIES)
        assert len(ENTRIES) >= 48
        assert len(kinds) >= 8
        assert min(kinds.values()) >= 3
        lengths = [len((ROOT / e.source_path).read_text("utf-8").splitlines()) for e in ENTRIES]
        assert min(lengths) >= 60
        assert max(lengths) <= 600
        assert sum(length <= 130 for length in lengths) >= 9

    def test_names_files_and_hashes_are_those_that_are_there(self) -> None:
        assert list(entries()) == sorted(entries())
        assert [source.relative_to(ROOT).as_posix() for source in sources()] == [
            entry.source_path for entry in ENTRIES
        ]
        assert {path.stem for path in (ROOT / "bitcode").iterdir()} == set(entries())
        for entry in ENTRIES:
            assert sha256((ROOT / entry.source_path).read_bytes()) == entry.source_sha256
            assert sha256((ROOT / entry.bitcode_path).read_bytes()) == entry.bitcode_sha256

    def test_no_two_programs_are_the_same_code(self) -> None:
        assert len({entry.content_hash for entry in ENTRIES}) == len(ENTRIES)

    def test_what_it_says_of_the_modules(self) -> None:
        for entry in ENTRIES:
            module = Module.read((ROOT / entry.bitcode_path).read_bytes(), entry.name)
            assert module.content_hash() == entry.content_hash
            assert module.functions() == list(entry.functions)
            assert module.instruction_count() == sum(entry.functions.values())
            assert "main" in module.external_definitions()

    def test_bitcode_is_small_and_tells_nothing_of_where_it_was_made(self) -> None:
        data = [(ROOT / entry.bitcode_path).read_bytes() for entry in ENTRIES]
        assert sum(map(len, data)) < 2_000_000
        for entry, bitcode in zip(ENTRIES, data, strict=True):
            module = Module.read(bitcode, entry.name)
            assert f'source_filename = "{entry.name}.c"' in module.text()
            assert "llvm.ident" not in module.text()
            assert not any(part in bitcode for part in (b"/home/", b"/root/", b"/work", b"/tmp/"))

    def test_every_function_has_the_attributes_of_oz(self) -> None:
        for entry in ENTRIES:
            text = Module.read((ROOT / entry.bitcode_path).read_bytes(), entry.name).text()
            comments = [line for line in text.splitlines() if line.startswith("; Function Attrs")]
            assert sum("minsize" in line for line in comments) >= len(entry.functions)


@needs_clang
class TestBuilding:
    def test_the_sources_give_the_shipped_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert build_bundled.main(["--check"]) == 0
        assert capsys.readouterr().out == "all programs as shipped\n"

    def test_every_program_prints_what_the_manifest_says(self) -> None:
        assert failing(lambda e: behaves(e, (ROOT / e.bitcode_path).read_bytes())) == []
        assert {entry.exit_code for entry in ENTRIES} == {0}

    def test_what_clang_oz_makes_of_the_bitcode_prints_the_same(self) -> None:
        def prints(entry: Entry) -> bool:
            module = Module.read((ROOT / entry.bitcode_path).read_bytes(), entry.name)
            module.run_clang("z")
            return behaves(entry, module.bitcode())

        assert failing(prints) == []

    def test_check_names_what_differs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = plant(tmp_path, monkeypatch, "int main(void) { return 0; }\n")
        assert build_bundled.main([]) == 0
        written = build_bundled.json.loads((tmp_path / "manifest.json").read_text("utf-8"))
        known = {entry["name"]: Entry(**entry) for entry in written["programs"]}
        monkeypatch.setattr(build_bundled, "entries", lambda: known)
        assert build_bundled.main(["--check"]) == 0
        (folder / "tiny.c").write_text("int main(void) { return 2 - 2; }\n/* new */\n")
        assert build_bundled.main(["--check"]) == 0
        (folder / "tiny.c").write_text("int main(void) { return 1; }\n")
        (folder / "more.c").write_text("int main(void) { return 0; }\n")
        capsys.readouterr()
        assert build_bundled.main(["--check"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["more", "tiny"]
        (folder / "tiny.c").unlink()
        build_bundled.main(["--check"])
        assert "tiny: no source" in capsys.readouterr().out

    def test_building_again_removes_what_has_no_source(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = plant(tmp_path, monkeypatch, "int main(void) { return 0; }\n")
        assert build_bundled.build() == 1
        (folder / "tiny.c").rename(folder / "other.c")
        assert build_bundled.build() == 1
        assert [path.name for path in (tmp_path / "bitcode").iterdir()] == ["other.bc"]

    def test_errors_are_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plant(tmp_path, monkeypatch, "int helper(void) { return 0; }\n")
        assert build_bundled.main([]) == 1
        assert "tiny.c to link, got" in capsys.readouterr().err

    def test_a_program_that_never_ends_is_not_built(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plant(tmp_path, monkeypatch, "int main(void) { for (;;); }\n")
        monkeypatch.setattr(build_bundled, "LIMITS", Limits(seconds=0.3))
        assert build_bundled.main([]) == 1
        assert "tiny.c to end within 0.3 s" in capsys.readouterr().err
        assert not (tmp_path / "manifest.json").exists()


def plant(root: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> Path:
    """Make a folder of bundled programs with one in it, and return the folder of its kind."""
    monkeypatch.setattr(build_bundled, "ROOT", root)
    folder = root / "kind"
    folder.mkdir()
    (folder / "tiny.c").write_text(source)
    return folder
