"""The pinned compiler: clang as everybody has it, blind to the machine it runs on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("ziglang", reason="needs the extra corpus")

from llmopt_bench._core import Module
from llmopt_bench.datasets.corpus import hermetic
from llmopt_bench.datasets.corpus.hermetic import compile_unit
from llmopt_bench.errors import BadProgram, CompilerTimeout, MissingTool
from llmopt_bench.frontend import compile_source, find_compiler

SOURCE = """
struct pair { int a; long b; };
int pick(struct pair *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i].a; return s; }
long sum(const struct pair *p) { return p->a + p->b; }
"""


def compiled(folder: Path, text: str, language: str = "c", *flags: str) -> Module:
    name = "unit.c" if language == "c" else "unit.cpp"
    (folder / name).write_text(text)
    compile_unit(folder, name, language, flags, folder / "unit.bc")
    return Module.read((folder / "unit.bc").read_bytes(), name)


@pytest.mark.parametrize("language", ["c", "c++"])
def test_is_the_clang_of_everybody(language: str, tmp_path: Path) -> None:
    if find_compiler().kind != "clang":
        pytest.skip("needs clang 22 to compare with")
    other = Module.read(compile_source(SOURCE, language), "other")
    module = compiled(tmp_path, SOURCE, language)
    assert module.content_hash() == other.content_hash()
    assert module.text().count("minsize") == other.text().count("minsize") > 0


def test_has_its_own_headers(tmp_path: Path) -> None:
    text = "#include <stdio.h>\n#include <vector>\nstd::vector<int> v;\n"
    text += "int f() { return puts(__FILE__); }\n"
    module = compiled(tmp_path, text, "c++")
    assert "./unit.cpp" in module.text()
    assert str(tmp_path) not in module.text()
    with pytest.raises(BadProgram, match=r"'zstd.h' file not found"):
        compiled(tmp_path, "#include <zstd.h>\n")


def test_sees_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.h").write_text("int mine;")
    for name in ("CPATH", "C_INCLUDE_PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(BadProgram, match="file not found"):
        compiled(tmp_path, "#include <mine.h>\n")


def test_the_date_is_fixed(tmp_path: Path) -> None:
    assert "Jan  1 1970" in compiled(tmp_path, "const char *d = __DATE__;").text()


def test_says_what_is_wrong_with_a_source(tmp_path: Path) -> None:
    with pytest.raises(BadProgram, match=r"unit\.c:1:18: error: use of undeclared identifier 'x'"):
        compiled(tmp_path, "int f() { return x; }")


def test_a_full_disk_is_not_the_sources_fault(tmp_path: Path) -> None:
    (tmp_path / "unit.c").write_text(SOURCE)
    with pytest.raises(OSError, match="cannot write"):
        compile_unit(tmp_path, "unit.c", "c", (), Path("/dev/full"))


def test_a_hang_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever opens a named pipe waits until somebody writes to it, and nobody does.
    os.mkfifo(tmp_path / "pipe.h")
    monkeypatch.setattr(hermetic, "TIME_LIMIT", 0.3)
    with pytest.raises(CompilerTimeout, match=r"within 0\.3 s"):
        compiled(tmp_path, '#include "pipe.h"\n')


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hermetic, "VERSION", "0.1.2")
    with pytest.raises(MissingTool, match=r"expected ziglang 0\.1\.2, got"):
        hermetic.require()
