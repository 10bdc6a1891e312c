"""Datasets: any URI or file gives its program, or an error that says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import dataset_names, load_program, make_dataset
from llmopt_bench.datasets.bundled import LEAST_INSTRUCTIONS, entries
from llmopt_bench.errors import BadProgram, MissingTool, UnknownName, UnknownProgram

SOURCE = "int twice(int n) { return 2 * n; }\n"
TEXT = "define i32 @f() {\n  ret i32 1\n}\n"
FINITE = ("bundled-v1", "bundled-functions-v1")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a b.c").write_text(SOURCE)
    (tmp_path / "text.ll").write_text(TEXT)
    (tmp_path / "code.bc").write_bytes(load_program("bundled-v1/crc_family").bitcode)
    (tmp_path / "empty.c").touch()
    (tmp_path / "notes.txt").write_text(SOURCE)
    (tmp_path / "folder.c").mkdir()
    (tmp_path / "wrong.c").write_text("int f(void) { return x; }\n")
    (tmp_path / "wrong.bc").write_bytes(b"\x7fELF" + bytes(60))
    (tmp_path / "wrong.ll").write_text("define i32 @f() {\n  ret i64 1\n}\n")
    return tmp_path


class TestDatasets:
    def test_names(self) -> None:
        assert dataset_names() == (
            *("bundled-v1", "bundled-functions-v1"),
            *("corpus-v1", "corpus-train-v1", "corpus-validation-v1"),
            *("corpus-functions-v1", "corpus-functions-mini-v1", "corpus-modules-v1"),
            *("csmith-v0", "llvm-stress-v0"),
        )
        with pytest.raises(UnknownName, match="Did you mean 'bundled-v1'"):
            make_dataset("bundled")

    @pytest.mark.parametrize("name", dataset_names())
    def test_describes_itself(self, name: str) -> None:
        dataset = make_dataset(name)
        assert dataset.name == name
        assert name.endswith(f"-v{dataset.version}")
        one_for_each = name.startswith("corpus-")
        licences = ("Apache-2.0", "BSD-2-Clause", "Apache-2.0 WITH LLVM-exception")
        assert one_for_each or dataset.licence in licences
        assert len(dataset.description) > 20
        assert name in repr(dataset)

    @pytest.mark.parametrize("name", FINITE)
    def test_uris_are_stable_unique_and_load(self, name: str) -> None:
        dataset = make_dataset(name)
        uris = list(dataset.uris())
        assert uris == list(dataset.uris())
        assert len(set(uris)) == len(uris) == len(dataset) == dataset.size
        for uri in uris[:: len(uris) // 20]:
            program = dataset.load(uri)
            assert program.uri == uri
            assert program == dataset.load(uri)
            Module.read(program.bitcode, uri).verify()

    @pytest.mark.parametrize("name", FINITE)
    def test_iterating_gives_the_programs_in_the_order_of_the_uris(self, name: str) -> None:
        dataset = make_dataset(name)
        assert [p.uri for p in islice(dataset, 9)] == list(islice(dataset.uris(), 9))

    @pytest.mark.parametrize("name", FINITE)
    def test_random_follows_the_generator(self, name: str) -> None:
        dataset = make_dataset(name)

        def draw(seed: int) -> list[str]:
            rng = np.random.default_rng(seed)
            return [dataset.random(rng).uri for _ in range(12)]

        assert draw(1) == draw(1) != draw(2)
        assert len(set(draw(1))) > 6

    def test_import_reads_nothing_and_needs_no_core(self) -> None:
        code = (
            "import sys, llmopt_bench.datasets as d; d.make_dataset('bundled-functions-v1');"
            "from llmopt_bench.datasets.bundled import entries;"
            "assert entries.cache_info().currsize == 0;"
            "assert 'llmopt_bench._core' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestBundled:
    def test_programs_come_with_their_source(self) -> None:
        program = load_program("bundled-v1/crc_family")
        assert program.source is not None
        assert program.source.startswith("/*")
        assert "main" in Module.read(program.bitcode, "crc").functions()

    def test_functions_are_sorted_by_program_then_as_in_the_module(self) -> None:
        names = [uri.split("/")[1:] for uri in make_dataset("bundled-functions-v1").uris()]
        assert all(a[0] <= b[0] for a, b in pairwise(names))
        module = Module.read(load_program("bundled-v1/lisp_mini").bitcode, "lisp")
        ours = [function for program, function in names if program == "lisp_mini"]
        assert ours == [f for f in module.functions() if f in set(ours)]
        assert len(ours) > 20

    def test_a_function_alone_has_the_instructions_that_the_manifest_says(self) -> None:
        for function, expected in entries()["crc_family"].functions.items():
            program = load_program(f"bundled-functions-v1/crc_family/{function}")
            module = Module.read(program.bitcode, function)
            assert (module.functions(), module.instruction_count()) == ([function], expected)

    def test_tiny_functions_are_left_out(self) -> None:
        uris = set(make_dataset("bundled-functions-v1").uris())
        sizes = {
            f"bundled-functions-v1/{entry.name}/{function}": size
            for entry in entries().values()
            for function, size in entry.functions.items()
        }
        assert {uri for uri, size in sizes.items() if size >= LEAST_INSTRUCTIONS} == uris
        assert {size for uri, size in sizes.items() if uri not in uris} <= {1, 2}

    def test_benchmark_scheme(self) -> None:
        plain = load_program("bundled-v1/lzss")
        assert load_program("benchmark://bundled-v1/lzss") == plain

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            ("bundled-v1/crc_famly", "Did you mean 'crc_family'"),
            ("bundled-v1/../manifest.json", "unknown program of bundled-v1"),
            ("bundled-functions-v1/crc_family/adler23", "Did you mean 'crc_family/adler32'"),
            ("bundled-functions-v1/crc_family", "unknown program of bundled-functions-v1"),
            ("bundled-v1", "expected bundled-v1/<program>"),
            ("bundled-v2/lzss", "unknown dataset 'bundled-v2'. Did you mean 'bundled-v1'"),
            ("crc_famly", "Did you mean 'bundled-v1/crc_family'?"),
            ("", "expected <dataset>/<program> or a file, got ''"),
            ("a\0b.c", "expected <dataset>/<program> or a file"),
        ],
    )
    def test_unknown_programs(self, uri: str, message: str) -> None:
        with pytest.raises(UnknownProgram, match=re.escape(message)):
            load_program(uri)


class TestFiles:
    def test_bitcode_is_taken_as_it_is(self, files: Path) -> None:
        program = load_program(files / "code.bc")
        assert program.uri == f"file://{files}/code.bc"
        assert program.bitcode == (files / "code.bc").read_bytes()
        assert program.source is None

    def test_text_becomes_bitcode(self, files: Path) -> None:
        program = load_program(files / "text.ll")
        assert program.bitcode.startswith(b"BC\xc0\xde")
        assert Module.read(program.bitcode, "f").functions() == ["f"]

    def test_uri_and_path_name_the_same_program(
        self, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = load_program(files / "text.ll")
        monkeypatch.chdir(files)
        for name in ("text.ll", "./text.ll", str(files / "text.ll"), program.uri, Path("text.ll")):
            assert load_program(name) == program

    @pytest.mark.parametrize(
        ("name", "error", "message"),
        [
            ("gone.c", UnknownProgram, "gone.c, got no file"),
            ("text.bc", UnknownProgram, r"no file\. Did you mean text.ll"),
            ("nowhere/a.c", UnknownProgram, r"no file\. There is no folder .*nowhere either"),
            ("empty.c", BadProgram, "empty.c, got an empty file"),
            ("folder.c", BadProgram, r"expected a file, got the folder .*folder.c\. Name a file"),
            ("notes.txt", BadProgram, r"ends in one of .c, .cc, .*, .bc, got .*notes.txt"),
            ("wrong.bc", BadProgram, r"expected LLVM bitcode, .* got b'\\x7fELF'"),
            ("wrong.ll", BadProgram, r"got wrong.ll: line 2, column 7: "),
        ],
    )
    def test_wrong_files(
        self, files: Path, name: str, error: type[Exception], message: str
    ) -> None:
        for way in (files / name, str(files / name), f"file://{files}/{name}"):
            with pytest.raises(error, match=message):
                load_program(way)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, files: Path) -> None:
        (files / "code.bc").chmod(0)
        with pytest.raises(BadProgram, match=r"can be read, got .*code.bc: Permission denied"):
            load_program(files / "code.bc")

    def test_what_the_system_refuses(self, tmp_path: Path) -> None:
        (tmp_path / "loop.bc").symlink_to("loop.bc")
        with pytest.raises(BadProgram, match=r"can be read, got .*loop.bc: Too many levels"):
            load_program(tmp_path / "loop.bc")

    def test_relative_file_uri(self) -> None:
        with pytest.raises(
            UnknownProgram, match=r"expected file:///absolute/path, got 'file://a.c"
        ):
            load_program("file://a.c")


class TestSources:
    @pytest.fixture(autouse=True)
    def compiler(self) -> None:
        from llmopt_bench.frontend import find_compiler

        try:
            find_compiler()
        except MissingTool as error:
            pytest.skip(str(error))

    def test_source_is_compiled_and_kept(self, files: Path) -> None:
        program = load_program(files / "a b.c")
        assert program.uri == f"file://{files}/a%20b.c"
        assert program.source == SOURCE
        assert Module.read(program.bitcode, "a").functions() == ["twice"]
        assert load_program(program.uri) == program

    def test_bundled_source_as_a_file_is_the_bundled_program(self, tmp_path: Path) -> None:
        bundled = load_program("bundled-v1/lzss")
        (tmp_path / "lzss.c").write_text(str(bundled.source))
        assert load_program(tmp_path / "lzss.c").sha256 == bundled.sha256

    def test_a_source_that_does_not_compile(self, files: Path) -> None:
        with pytest.raises(BadProgram, match=r"wrong.c:1:22: error: use of undeclared"):
            load_program(files / "wrong.c")
