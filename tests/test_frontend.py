"""Sources become the bitcode that an optimizer starts from, the same for everybody."""

from __future__ import annotations

import importlib.util
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmopt_bench import frontend
from llmopt_bench._core import Module
from llmopt_bench.datasets.bundled import DATA, entries
from llmopt_bench.errors import BadProgram, MissingTool
from llmopt_bench.frontend import clang_version, compile_source

TWICE = "int twice(int n) { return 2 * n; }\n"


def has_compiler() -> bool:
    try:
        frontend.find_compiler()
    except MissingTool:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="needs clang 22")


def read(bitcode: bytes) -> Module:
    return Module.read(bitcode, "compiled")


def fake_tool(path: Path, output: str, after: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n[ $# -gt 1 ] || echo '{output}'\n{after}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@needs_compiler
class TestCompileSource:
    def test_functions_carry_the_size_attributes_and_are_not_optimized(self) -> None:
        text = read(compile_source(TWICE, "c")).text()
        attributes = re.findall(r"^attributes #\d+ = \{ (.*) \}", text, re.MULTILINE)
        assert len(attributes) == 1
        assert {"minsize", "optsize"} < set(attributes[0].split())
        assert not {"optnone", "noinline"} & set(attributes[0].split())
        assert "alloca" in text

    @pytest.mark.parametrize(
        ("level", "present", "absent"),
        [
            ("O0", set(), {"optsize", "minsize", "optnone"}),
            ("O2", set(), {"optsize", "minsize", "noinline"}),
            ("Os", {"optsize"}, {"minsize", "noinline"}),
        ],
    )
    def test_levels(self, level: str, present: set[str], absent: set[str]) -> None:
        words = set(re.findall(r"\w+", read(compile_source(TWICE, "c", level=level)).text()))
        assert present <= words
        assert not absent & words

    def test_no_compiler_name_and_no_path_in_the_bitcode(self, tmp_path: Path) -> None:
        source = tmp_path / "twice.c"
        source.write_text(TWICE)
        bitcode = compile_source(source)
        assert str(tmp_path).encode() not in bitcode
        text = read(bitcode).text()
        assert 'source_filename = "twice.c"' in text
        assert "llvm.ident" not in text

    def test_the_same_text_gives_the_same_bytes(self, tmp_path: Path) -> None:
        assert compile_source(TWICE, "c") == compile_source(TWICE, "c")
        for place in ("one", "two"):
            (tmp_path / place).mkdir()
            (tmp_path / place / "a.c").write_text(TWICE)
        assert compile_source(tmp_path / "one/a.c") == compile_source(tmp_path / "two/a.c")

    def test_includes_from_the_folder_of_the_source(self, tmp_path: Path) -> None:
        (tmp_path / "near.h").write_text("#define FACTOR 3\n")
        source = tmp_path / "uses.c"
        source.write_text('#include "near.h"\nint f(int n) { return FACTOR * n; }\n')
        assert "mul nsw i32 3" in read(compile_source(source)).text()

    def test_cflags(self) -> None:
        text = "#ifdef WANTED\nint wanted;\n#endif\nint always;\n"
        assert "@wanted" in read(compile_source(text, "c", cflags=["-DWANTED"])).text()
        assert "@wanted" not in read(compile_source(text, "c")).text()

    def test_the_environment_does_not_leak_in(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "leak.h").write_text("int leaked;\n")
        monkeypatch.setenv("CPATH", str(tmp_path))
        monkeypatch.setenv("CCC_OVERRIDE_OPTIONS", "+-DLEAK=1")
        text = '#if __has_include("leak.h") || defined(LEAK)\n#error leak\n#endif\nint x;\n'
        assert "@x" in read(compile_source(text, "c")).text()

    @pytest.mark.parametrize("name", ["-x.c", "@x.c", "with blank.c", "ünï.c"])
    def test_odd_file_names(self, tmp_path: Path, name: str) -> None:
        source = tmp_path / name
        source.write_text(TWICE)
        assert read(compile_source(source)).functions() == ["twice"]

    @pytest.mark.parametrize("suffix", [".cc", ".cpp", ".cxx"])
    def test_cpp(self, tmp_path: Path, suffix: str) -> None:
        source = tmp_path / f"a{suffix}"
        source.write_text("template <class T> T id(T x) { return x; }\nint f() { return id(3); }\n")
        assert read(compile_source(source)).functions() == ["_Z1fv", "_Z2idIiET_S0_"]

    def test_the_language_may_be_given_for_a_file(self, tmp_path: Path) -> None:
        source = tmp_path / "a.txt"
        source.write_text(TWICE)
        assert read(compile_source(source, "c")).functions() == ["twice"]
        with pytest.raises(ValueError, match=r"expected language 'c' or 'c\+\+', got '.txt'"):
            compile_source(source)

    def test_errors_show_the_first_lines_of_clang(self) -> None:
        text = "int f(void) {\n  return a + b + c + d + e;\n}\n"
        with pytest.raises(BadProgram) as caught:
            compile_source(text, "c")
        lines = str(caught.value).splitlines()
        assert lines[0] == "expected a source that compiles, got source.c:"
        assert lines[1] == "  source.c:2:10: error: use of undeclared identifier 'a'"
        assert lines[4] == "  and 2 more."
        assert len(lines) == 5

    def test_wrong_arguments(self) -> None:
        with pytest.raises(ValueError, match=r"expected a level of O0, O1, .*, got 'O4'"):
            compile_source(TWICE, "c", level="O4")
        with pytest.raises(ValueError, match="got 'fortran'"):
            compile_source(TWICE, "fortran")
        with pytest.raises(ValueError, match="with source text, got none"):
            compile_source(TWICE)

    def test_version(self) -> None:
        assert re.match(r"22\.\d+\.\d+", clang_version())


class TestFindingACompiler:
    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("PATH", "")
        monkeypatch.delenv("LLMOPT_CLANG", raising=False)
        monkeypatch.setattr(frontend, "_zig", lambda: None)
        frontend._find.cache_clear()
        yield
        frontend._find.cache_clear()

    def test_none_says_how_to_get_one(self) -> None:
        with pytest.raises(MissingTool, match=r"found none\. Install clang-22.*ziglang.*LLMOPT_"):
            compile_source(TWICE, "c")

    def test_other_versions_are_refused_and_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        old = fake_tool(tmp_path / "clang", "Debian clang version 14.0.6")
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingTool, match=re.escape(f"{old} is version 14.0.6")):
            frontend.find_compiler()

    def test_clang_without_a_number_counts_by_its_version(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fake_tool(tmp_path / "clang", "clang version 22.9.1 (some vendor)")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert clang_version() == "22.9.1"

    @pytest.mark.parametrize("output", ["clang version 21.1.0", "gcc (GCC) 22.0", None])
    def test_an_override_that_is_not_clang_22(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str | None
    ) -> None:
        path = tmp_path / "mine"
        if output:
            fake_tool(path, output)
        monkeypatch.setenv("LLMOPT_CLANG", str(path))
        with pytest.raises(MissingTool, match=r"expected LLMOPT_CLANG to name a clang of version"):
            frontend.find_compiler()

    def test_a_compiler_that_never_ends_is_killed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        loop = "[ $# -gt 1 ] && while :; do :; done"
        monkeypatch.setenv("LLMOPT_CLANG", str(fake_tool(tmp_path / "c", "clang version 22", loop)))
        frontend.find_compiler()
        monkeypatch.setattr(frontend, "TIME_LIMIT", 0.3)
        with pytest.raises(BadProgram, match=r"source.c to compile within 0.3 s, and it did not"):
            compile_source(TWICE, "c")

    def test_a_compiler_that_crashes(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        crash = "[ $# -gt 1 ] && kill -SEGV $$"
        monkeypatch.setenv(
            "LLMOPT_CLANG", str(fake_tool(tmp_path / "c", "clang version 22", crash))
        )
        with pytest.raises(BadProgram, match="the compiler ended with status -11"):
            compile_source(TWICE, "c")


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
class TestZig:
    @pytest.fixture(autouse=True)
    def only_zig(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        monkeypatch.delenv("LLMOPT_CLANG", raising=False)

    @pytest.mark.parametrize("name", ["crc_family", "text_format", "fft_convolve"])
    def test_gives_the_code_of_clang(self, name: str) -> None:
        entry = entries()[name]
        ours = read((DATA / entry.bitcode_path).read_bytes())
        theirs = read(compile_source(Path(str(DATA)) / entry.source_path))
        counts = {f: theirs.extract(f).instruction_count() for f in theirs.functions()}
        assert counts == entry.functions
        assert ours.run_clang("z")
        assert theirs.run_clang("z")
        assert ours.instruction_count() == theirs.instruction_count()

    def test_sizes_and_no_checks(self) -> None:
        text = read(compile_source("int f(int *p, int n) { return p[n] / n; }", "c")).text()
        assert "minsize" in text
        assert not re.search(r"ubsan|@llvm\.trap|\bssp|frame-pointer", text)
        assert clang_version().endswith("(ziglang)")

    def test_errors(self) -> None:
        with pytest.raises(BadProgram, match=r"source.c:1:20: error: use of undeclared"):
            compile_source("int f(void){return x;}", "c")
