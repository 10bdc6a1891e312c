"""The wheel: what is in it, and that it works where there is no compiler at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Where each folder of the checkout lands in the wheel.
MAPPED = {
    "llmopt_bench": "llmopt_bench",
    "agents": "llmopt_bench/agents",
    "baselines": "llmopt_bench/baselines",
}
NOT_SHIPPED = {"csrc", "__pycache__"}
HIDDEN_TOOLS = ("clang", "clang-22", "opt-22", "llvm-config-22", "cc", "c++", "csmith")
NO_NETWORK = ("connection broken by", "Could not fetch URL", "Name or service not known")

ADD = """\
target triple = "x86_64-unknown-linux-gnu"

define i32 @add(i32 %a, i32 %b) minsize optsize {
  %p = alloca i32
  store i32 %a, ptr %p
  %x = load i32, ptr %p
  %y = add i32 %x, %b
  %z = add i32 %y, 0
  ret i32 %z
}
"""

EPISODE = """
import json
import gymnasium as gym
import llmopt_bench
uri = next(iter(llmopt_bench.make_dataset("bundled-v1").uris()))
env = gym.make("llmopt_bench/PassOrder-v0", program=uri)
_, first = env.reset(seed=0)
action = env.unwrapped.action_names.index("sroa<modify-cfg>")
_, reward, *_, last = env.step(action)
print(json.dumps([first["instruction_count"], last["instruction_count"], float(reward)]))
"""

# The first build of a tree that `make` did not build compiles the core.
pytestmark = [
    pytest.mark.skipif(not (ROOT / "agents").is_dir(), reason="needs a checkout to build from"),
    pytest.mark.timeout(900),
]


def run(command: list[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and fail the test with its output if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result


def repair(wheel: Path, folder: Path) -> Path:
    """Return the wheel with the shared libraries that it needs inside."""
    pytest.importorskip("auditwheel", reason="needs auditwheel: install the extra dev")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", folder, wheel]
    run(command, env={**os.environ, "PATH": tools})
    (repaired,) = folder.glob("*.whl")
    return repaired


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repaired wheel of this checkout, built in the tree of the editable install."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder / "raw"]
    run([sys.executable, "-m", "pip", "wheel", *options, ROOT])
    (raw,) = (folder / "raw").glob("*.whl")
    return repair(raw, folder / "repaired")


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh virtual environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("clean")
    run([sys.executable, "-m", "venv", folder])
    result = subprocess.run(
        [folder / "bin/python", "-m", "pip", "install", "--retries=1", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode and any(sign in result.stderr for sign in NO_NETWORK):
        pytest.skip("needs a network to install gymnasium, numpy, typer and rich")
    assert result.returncode == 0, result.stderr[-4000:]
    return folder


def bare(clean: Path, home: Path) -> dict[str, str]:
    """Return the environment variables of a machine without LLVM and compilers."""
    return {"PATH": str(clean / "bin"), "HOME": str(home)}


def shipped_sources() -> set[str]:
    """Return the members that a wheel of this checkout should have, but for what is compiled."""
    found = set()
    for folder, target in MAPPED.items():
        for file in (ROOT / folder).rglob("*"):
            inside = file.relative_to(ROOT / folder)
            if file.is_file() and not NOT_SHIPPED & set(inside.parts):
                found.add(f"{target}/{inside.as_posix()}")
    return {name for name in found if not name.endswith(("/README.md", ".so"))}


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    members = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    libraries = {name for name in members if re.match(r"llmopt_bench\.libs/lib[^/]+\.so", name)}
    metadata = {name for name in members if re.match(r"llmopt_bench-[^/]+\.dist-info/", name)}
    payload = members - libraries - metadata
    core = {name for name in payload if re.fullmatch(r"llmopt_bench/_core\.[^/]+\.so", name)}
    assert len(core) == 1
    assert payload - core == shipped_sources()
    assert any(name.endswith("/licenses/LICENSE") for name in metadata)


def test_wheel_needs_nothing_of_llvm(wheel: Path) -> None:
    libraries = [Path(name).name for name in zipfile.ZipFile(wheel).namelist() if ".libs/" in name]
    assert not [name for name in libraries if "LLVM" in name or "clang" in name]
    assert "manylinux" in wheel.name


def test_the_clean_machine_is_clean(clean: Path) -> None:
    found = {tool: shutil.which(tool, path=str(clean / "bin")) for tool in HIDDEN_TOOLS}
    assert set(found.values()) == {None}


def test_step_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    result = run(
        [clean / "bin/python", "-c", EPISODE], cwd=tmp_path, env=bare(clean, tmp_path), timeout=120
    )
    before, after, reward = json.loads(result.stdout)
    assert 0 < after < before
    assert reward > 0


def test_tune_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "add.ll").write_text(ADD)
    command = [clean / "bin/llmopt-bench", "tune", "add.ll", "--budget", "20", "--json"]
    result = run(command, cwd=tmp_path, env=bare(clean, tmp_path), timeout=120)
    counts = json.loads(result.stdout)["counts"]
    assert counts["O0"] == 6
    assert counts["tuned"] <= counts["Oz"] == 2


def test_info_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    command = [clean / "bin/llmopt-bench", "info"]
    result = run(command, cwd=tmp_path, env=bare(clean, tmp_path), timeout=60)
    assert re.search(r"\b22\.\d+\.\d+", result.stdout)


@pytest.mark.nightly
def test_make_wheel_builds_in_isolation(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    run(["git", "clone", "--quiet", ROOT, checkout])
    run([checkout / "scripts/wheel.sh", Path(sys.prefix)], cwd=checkout)
    (built,) = (checkout / "wheelhouse").glob("llmopt_bench-*.whl")
    names = zipfile.ZipFile(built).namelist()
    assert "manylinux" in built.name
    assert any(re.fullmatch(r"llmopt_bench/_core\.[^/]+\.so", name) for name in names)
