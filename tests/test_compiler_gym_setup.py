"""Finding what CompilerGym needs, and making its folder whole or not at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compiler_gym_scripted import Script, script

from llmopt_bench import compiler_gym_setup, compiler_gym_tools
from llmopt_bench.compiler_gym_place import (
    READY,
    VARIABLE,
    compiler_gym_home,
    compiler_gym_place,
    is_set_up,
    variables_of,
)
from llmopt_bench.compiler_gym_setup import PACKAGES, TOOLS, set_up
from llmopt_bench.compiler_gym_tools import find_python, link_llvm_tools, provide_library, run
from llmopt_bench.errors import NoCompilerGym

__all__ = ["script"]


@pytest.fixture(autouse=True)
def nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("LLMOPT_DATA", str(tmp_path / "data"))


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def a_python(path: Path, version: str) -> Path:
    """Return a program that says it is a CPython of a version, and can do nothing else."""
    return executable(path, f"echo {version.replace('.', ' ')} cpython")


def only_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PYENV_ROOT", str(folder / "pyenv"))


def finished(home: Path) -> Path:
    (home / "venv/bin").mkdir(parents=True)
    (home / READY).write_text("{}")
    return home


def test_the_newest_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_on_path(monkeypatch, tmp_path / "bin")
    with pytest.raises(NoCompilerGym, match=r"3\.10, 3\.9 or 3\.8 on PATH or in pyenv's"):
        find_python()
    pyenv = a_python(tmp_path / "bin/pyenv/versions/3.8.18/bin/python", "3.8")
    assert find_python() == pyenv
    on_path = a_python(tmp_path / "bin/python3.9", "3.9")
    assert find_python() == on_path
    executable(tmp_path / "bin/python3.10", "echo pyenv: not chosen >&2; exit 127")
    assert find_python() == on_path
    newest = a_python(tmp_path / "bin/pyenv/versions/3.10.13/bin/python", "3.10")
    assert find_python() == newest


def test_a_named_python_must_do() -> None:
    with pytest.raises(NoCompilerGym, match=re.escape(repr(sys.executable))):
        find_python(sys.executable)
    with pytest.raises(NoCompilerGym, match="'no-such-python'"):
        find_python("no-such-python")


@pytest.mark.parametrize(
    ("installed", "chosen"), [((9, 10, 14, 16), 14), ((22, 16), 16), ((22,), 22)]
)
def test_tools_of_old_llvm_are_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[int, ...], chosen: int
) -> None:
    monkeypatch.setattr(compiler_gym_tools, "_LLVMS", tmp_path)
    for version in installed:
        for tool in ("clang", "llvm-size"):
            executable(tmp_path / f"llvm-{version}/bin/{tool}", f"echo {tool} {version}")
    found = link_llvm_tools(tmp_path / "bin")
    assert found["llvm-size"] == str(tmp_path / f"llvm-{chosen}/bin/llvm-size")
    said = subprocess.run([tmp_path / "bin/clang"], capture_output=True, text=True)
    assert said.stdout == f"clang {chosen}\n"


def test_clang_is_given_what_it_can_read(tmp_path: Path) -> None:
    found = link_llvm_tools(tmp_path / "bin")
    if "llvm-as" not in found or not re.search(r"llvm-1[0-4]/", found["llvm-as"]):
        pytest.skip("llvm-as of LLVM 10 to 14 is not installed")
    text = (
        "@x = internal global i8 0\n"
        "define i32 @f() {\n"
        "  %1 = add i32 zext (i1 icmp ne (i8* @x, i8* null) to i32), 1\n"
        "  ret i32 %1\n}\n"
    )
    command = [tmp_path / "bin/clang", "-w", "-xir", "-", "-o", tmp_path / "out.o", "-c"]
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.o").read_bytes().startswith(b"\x7fELF")


def test_without_tools_it_is_said_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler_gym_tools, "_find_tool", lambda tool: None)
    with pytest.raises(NoCompilerGym, match=r"clang and llvm-size .* `apt-get install clang llvm`"):
        link_llvm_tools(tmp_path / "bin")


def test_the_library_comes_out_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler_gym_tools, "LIBRARY", "libtinfo.so.5")
    monkeypatch.setattr(
        compiler_gym_tools.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError)
    )
    executable(tmp_path / "bin/apt-get", 'touch "$2_6.4_amd64.deb"')
    unpack = (
        'mkdir -p "$3/lib/here" && echo library > "$3/lib/here/libtinfo.so.5.9" && '
        'ln -s libtinfo.so.5.9 "$3/lib/here/libtinfo.so.5"'
    )
    executable(tmp_path / "bin/dpkg-deb", unpack)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert provide_library(tmp_path / "lib") is True
    assert (tmp_path / "lib/libtinfo.so.5").read_text() == "library\n"
    executable(tmp_path / "bin/apt-get", "echo E: Unable to locate package libtinfo5 >&2; exit 100")
    with pytest.raises(NoCompilerGym, match=r"Unable to locate package.*apt-get update"):
        provide_library(tmp_path / "other")


def test_a_library_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler_gym_tools, "LIBRARY", "libc.so.6")
    assert provide_library(tmp_path / "lib") is False
    assert not (tmp_path / "lib").exists()


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(NoCompilerGym, match=r"expected to try, got no no-such-command\. Look\."):
        run(["no-such-command"], "try", None, " Look.")
    with pytest.raises(NoCompilerGym, match=r"got exit code 3: ERROR: this one\.$"):
        run(["sh", "-c", "echo ERROR: this one >&2; echo and more >&2; exit 3"], "try")


def test_a_setup_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = a_python(tmp_path / "python3.9", "3.9")
    python.write_text(python.read_text() + 'case "$3" in venv) echo no disk >&2; exit 1;; esac\n')
    monkeypatch.setattr(compiler_gym_setup, "provide_library", lambda folder: False)
    said: list[str] = []
    with pytest.raises(NoCompilerGym, match="make a virtual environment, got exit code 1: no disk"):
        set_up(str(python), say=said.append)
    assert said[-1] == f"installing compiler_gym==0.2.5 for {python}"
    assert list((tmp_path / "data").iterdir()) == []
    assert not is_set_up()


def test_a_setup_is_made_once_and_again_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def fill(folder: Path, python: Path, say: object) -> None:
        made.append(python.name)
        finished(folder)
        (folder / "number").write_text(str(len(made)))

    monkeypatch.setattr(compiler_gym_setup, "_fill", fill)
    python = a_python(tmp_path / "python3.8", "3.8")
    home = set_up(str(python))
    assert home == set_up(str(python)) == compiler_gym_home()
    assert (home / "number").read_text() == "1"
    assert set_up(str(python), force=True) == home
    assert (home / "number").read_text() == "2"
    assert [path.name for path in home.parent.iterdir()] == ["compiler-gym"]


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMOPT_DATA", str(tmp_path / "file/below"))
    with pytest.raises(NoCompilerGym, match=r"cannot write .*LLMOPT_DATA"):
        set_up(str(a_python(tmp_path / "python3.8", "3.8")))


def test_every_package_is_pinned() -> None:
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", pin) for pin in (*PACKAGES, *TOOLS))
    assert len({pin.partition("==")[0] for pin in PACKAGES}) == len(PACKAGES)


def test_the_variable_comes_before_what_was_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        NoCompilerGym, match=r"no finished setup. Run `llmopt-bench compiler-gym setup`"
    ):
        compiler_gym_place()
    home = finished(compiler_gym_home())
    place = compiler_gym_place()
    assert place.python == home / "venv/bin/python"
    assert place.variables["COMPILER_GYM_SITE_DATA"] == str(home / "site")
    monkeypatch.setenv(VARIABLE, sys.executable)
    assert compiler_gym_place().python == Path(sys.executable)
    assert compiler_gym_place().variables == {}
    monkeypatch.setenv(VARIABLE, "no-such-python")
    with pytest.raises(NoCompilerGym, match="'no-such-python', which is no program"):
        compiler_gym_place()


def test_the_library_is_found_by_the_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/other")
    assert "LD_LIBRARY_PATH" not in variables_of(tmp_path)
    (tmp_path / "lib").mkdir()
    assert variables_of(tmp_path)["LD_LIBRARY_PATH"] == f"{tmp_path}/lib:/other"


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmopt_bench", "compiler-gym", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_status_tells_what_answers(script: Script) -> None:
    told = json.loads(cli("status", "--json").stdout)
    assert told["interpreter"] == str(script.program)
    assert told["named_by"] == VARIABLE
    assert (told["compiler_gym"], told["llvm"]) == ("0.0", "10.0.0 scripted")
    assert "compiler gym  0.0\n" in cli("status").stdout


def test_status_fails_where_nothing_is_set_up() -> None:
    done = cli("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert "llmopt-bench compiler-gym setup" in done.stderr
    assert "Traceback" not in done.stderr


def test_setup_fails_for_a_python_that_will_not_do() -> None:
    done = cli("setup", "--python", sys.executable)
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected a CPython 3.10, 3.9 or 3.8")
