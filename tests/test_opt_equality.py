"""The core against the real `opt` and `clang`: the same passes give the same code."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from llmopt_bench._core import Module, build_info
from llmopt_bench.action_set import make_action_set
from llmopt_bench.datasets import load_program
from llmopt_bench.datasets.bundled import DATA
from llmopt_bench.frontend import compile_source

OPT = shutil.which("opt-22")
CLANG = shutil.which("clang-22")
SOURCES = Path(str(DATA))
PROGRAMS = (
    *("ring_buffer", "base64_hex", "mandel_ascii", "floyd_paths", "lzss", "blake2s"),
    *("prime_tools", "calendar_dates", "radix_strings", "brainfuck_opt"),
)
LISTS_EACH = 6
LENGTH = 8

pytestmark = pytest.mark.skipif(OPT is None, reason="needs opt-22")


def opt(pipeline: str, bitcode: bytes, folder: Path) -> Module:
    before, after = folder / "before.bc", folder / "after.bc"
    before.write_bytes(bitcode)
    subprocess.run(
        [str(OPT), f"-passes={pipeline}", str(before), "-o", str(after)], check=True, timeout=60
    )
    return Module.read(after.read_bytes(), "after")


@pytest.mark.parametrize("name", PROGRAMS)
def test_random_pass_lists_step_by_step_equal_one_run_of_opt(name: str, tmp_path: Path) -> None:
    bitcode = load_program(f"bundled-v1/{name}").bitcode
    rng = random.Random(f"{name}/1")
    for _ in range(LISTS_EACH):
        pipelines = rng.choices(make_action_set().pipelines, k=LENGTH)
        ours = Module.read(bitcode, name)
        for pipeline in pipelines:
            ours.run(pipeline)
        theirs = opt(",".join(pipelines), bitcode, tmp_path)
        assert ours.instruction_count() == theirs.instruction_count(), pipelines
        assert ours.content_hash() == theirs.content_hash(), pipelines


@pytest.mark.skipif(CLANG is None, reason="needs clang-22")
@pytest.mark.parametrize("level", ["1", "2", "3", "s", "z"])
@pytest.mark.parametrize("name", ["numeric/fft_convolve", "structures/radix_trie"])
def test_clang_levels_equal_clang(level: str, name: str, tmp_path: Path) -> None:
    source, after = SOURCES / f"{name}.c", tmp_path / "after.bc"
    ours = Module.read(compile_source(source, level=f"O{level}"), "ours")
    assert ours.run_clang(level)
    command = [str(CLANG), f"-O{level}", "-emit-llvm", "-c", str(source), "-o", str(after)]
    subprocess.run(command, check=True, timeout=60)
    theirs = Module.read(after.read_bytes(), "theirs")
    assert ours.instruction_count() == theirs.instruction_count()
    assert ours.content_hash() == theirs.content_hash()


def test_opt_is_the_release_that_the_core_is_built_with() -> None:
    """Else the other tests here would compare two compilers."""
    done = subprocess.run([str(OPT), "--version"], capture_output=True, text=True, check=True)
    assert f"LLVM version {build_info()['llvm_version']}" in done.stdout
