"""The way from a fresh clone to an installed library: what it refuses, and what it says then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CMAKE = shutil.which("cmake", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

pytestmark = pytest.mark.skipif(
    not (ROOT / "Makefile").is_file(), reason="needs a checkout with the Makefile"
)


def configure(folder: Path, llvm_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run CMake's configure step with the LLVM of a folder."""
    if CMAKE is None:
        pytest.skip("needs cmake")
    return subprocess.run(
        [CMAKE, "-S", ROOT / "llmopt_bench/csrc", "-B", folder / "build", f"-DLLVM_DIR={llvm_dir}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_cmake_refuses_another_llvm_major(tmp_path: Path) -> None:
    llvm_dir = tmp_path / "llvm-21"
    llvm_dir.mkdir()
    (llvm_dir / "LLVMConfig.cmake").write_text(
        'set(LLVM_VERSION_MAJOR 21)\nset(LLVM_PACKAGE_VERSION "21.1.8")\n'
    )
    result = configure(tmp_path, llvm_dir)
    message = " ".join(result.stderr.split())
    assert result.returncode != 0
    assert "needs LLVM 22" in message
    assert "is LLVM 21.1.8" in message
    assert "llvm-22-dev" in message


def fake_tool(folder: Path, name: str, script: str) -> None:
    """Put an executable shell script into a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder of tools that look like a Debian where only csmith is missing."""
    folder = tmp_path / "tools"
    folder.mkdir()
    names = "g++ clang-22 llvm-22 llvm-22-dev libxml2-dev libzstd-dev zlib1g-dev libcsmith-dev"
    fake_tool(folder, "dpkg-query", f"printf 'ii %s\\n' {names}; echo 'un csmith'; exit 1")
    fake_tool(folder, "apt-get", 'echo "$*" >> "$(dirname "$0")/apt.log"')
    fake_tool(folder, "id", "echo 0")
    fake_tool(folder, "python3", f'exec "{sys.executable}" "$@"')
    return folder


def system_packages(machine: Path) -> subprocess.CompletedProcess[str]:
    """Run the script that looks after Debian's packages, on a made-up machine."""
    return subprocess.run(
        [ROOT / "scripts/system-packages.sh"],
        env={"PATH": f"{machine}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def apt_calls(machine: Path) -> list[str]:
    """Return the command lines that apt-get was called with."""
    log = machine / "apt.log"
    return log.read_text().splitlines() if log.exists() else []


def test_root_installs_exactly_what_is_missing(machine: Path) -> None:
    result = system_packages(machine)
    assert result.returncode == 0, result.stderr
    assert "which are missing: csmith\n" in result.stderr
    assert apt_calls(machine) == ["update -qq", "install -y -qq --no-install-recommends csmith"]


def test_others_are_told_what_to_install(machine: Path) -> None:
    fake_tool(machine, "id", "echo 1000")
    result = system_packages(machine)
    assert result.returncode == 1
    assert "apt-get install --no-install-recommends csmith\n" in result.stderr
    assert apt_calls(machine) == []


def test_nothing_missing_is_silent(machine: Path) -> None:
    fake_tool(machine, "dpkg-query", 'for name in "$@"; do echo "ii $name"; done')
    result = system_packages(machine)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert apt_calls(machine) == []


def test_no_network_is_said(machine: Path) -> None:
    fake_tool(machine, "apt-get", "exit 100")
    result = system_packages(machine)
    assert result.returncode == 1
    assert "Is there a network?" in result.stderr
    assert "apt-get install --no-install-recommends csmith\n" in result.stderr


def test_an_old_python_asks_for_debians(machine: Path) -> None:
    fake_tool(machine, "python3", "exit 1")
    result = system_packages(machine)
    assert result.returncode == 1
    assert "csmith python3 python3-venv python3-dev" in apt_calls(machine)[1]
    assert "needs Python 3.11" in result.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what make looks at, installed by hand a moment ago."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copytree(ROOT / "llmopt_bench/csrc", folder / "llmopt_bench/csrc")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv/.installed-dev").touch()
    return folder


def would_install(checkout: Path, *variables: str) -> bool:
    """Whether make would run the installer."""
    plan = subprocess.run(
        ["make", "--dry-run", "setup", *variables],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return "scripts/install.sh" in plan.stdout


def test_second_run_installs_nothing(checkout: Path) -> None:
    assert not would_install(checkout)


@pytest.mark.parametrize("name", ["pyproject.toml", "llmopt_bench/csrc/features.cpp"])
def test_a_change_installs_again(checkout: Path, name: str) -> None:
    stamp = (checkout / ".venv/.installed-dev").stat().st_mtime
    os.utime(checkout / name, (stamp + 10, stamp + 10))
    assert would_install(checkout)


def test_other_extras_install_again(checkout: Path) -> None:
    assert would_install(checkout, "EXTRAS=dev,rl")
