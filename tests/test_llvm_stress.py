"""Random IR: the same for everybody and fit for a fair reference, or an error that helps."""

from __future__ import annotations

import functools
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import llvm_stress
from llmopt_bench.datasets.llvm_stress import LlvmStressPrograms
from llmopt_bench.errors import BadProgram, MissingTool, UnknownProgram

needs_llvm_stress = pytest.mark.skipif(
    not LlvmStressPrograms().installed, reason="needs llvm-stress of LLVM 22 (Debian: llvm-22)"
)

HASH_OF_13 = "c4338714a3a032dc6c98d58ded34adace56bb5b9999812582beee95a0c668661"


def module(seed: int) -> Module:
    return Module.read(LlvmStressPrograms().load(f"llvm-stress-v0/{seed}").bitcode, "random")


class TestPrograms:
    def test_is_endless(self) -> None:
        dataset = LlvmStressPrograms()
        assert dataset.size is None
        assert list(islice(dataset.uris(), 2)) == ["llvm-stress-v0/0", "llvm-stress-v0/1"]

    @needs_llvm_stress
    def test_a_seed_is_a_program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        dataset = LlvmStressPrograms()
        program = dataset.load("llvm-stress-v0/13")
        assert program.uri == "llvm-stress-v0/13"
        assert dataset.load("llvm-stress-v0/13") == program
        assert dataset.load("llvm-stress-v0/14").sha256 != program.sha256
        assert list(tmp_path.iterdir()) == []
        # Of the code, so that it holds for every LLVM 22.
        assert module(13).content_hash() == HASH_OF_13
        assert module(13).functions() == ["autogen_SD13"]

    @needs_llvm_stress
    def test_programs_are_valid_and_can_be_compiled(self) -> None:
        for seed in (0, 1, 2, 3, 2**32 - 1):
            random = module(seed)
            random.verify()
            assert 90 < random.instruction_count() < 150
            assert 0 < random.reference("z") < random.instruction_count()
            assert random.text_size() > 0

    @needs_llvm_stress
    def test_functions_have_what_clang_writes_for_size(self) -> None:
        text = module(3).text()
        assert "minsize" in text
        assert "optsize" in text
        assert 'target triple = "x86_64-pc-linux-gnu"' in text
        assert "target datalayout" in text

    def test_random_follows_the_generator(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seeds: list[int] = []
        text = "define void @f() {\n  ret void\n}\n"
        monkeypatch.setattr(llvm_stress, "_generate", lambda seed: seeds.append(seed) or text)
        for _ in range(2):
            LlvmStressPrograms().random(np.random.default_rng(3))
        assert seeds[0] == seeds[1] > 2**16

    @pytest.mark.parametrize("seed", ["-1", "007", "1.0", "x", "", "4294967296", "9" * 5000])
    def test_wrong_seeds(self, seed: str) -> None:
        with pytest.raises(UnknownProgram, match="llvm-stress-v0/<"):
            LlvmStressPrograms().load(f"llvm-stress-v0/{seed}")


class TestTool:
    @pytest.fixture(autouse=True)
    def fresh_search(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        search = llvm_stress._tool.__wrapped__
        monkeypatch.setattr(llvm_stress, "_tool", functools.cache(search))

    def plant(self, folder: Path, name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    def load(self) -> None:
        LlvmStressPrograms().load("llvm-stress-v0/1")

    def test_missing(self) -> None:
        with pytest.raises(MissingTool, match=r"found none\. .*apt-get install llvm-22"):
            self.load()
        assert not LlvmStressPrograms().installed

    def test_another_version_makes_other_programs(self, tmp_path: Path) -> None:
        self.plant(tmp_path, "llvm-stress", "echo LLVM version 19.1.7")
        with pytest.raises(MissingTool, match=r"llvm-stress is LLVM version 19.1.7\. Install"):
            self.load()

    def test_another_program_of_this_name(self, tmp_path: Path) -> None:
        self.plant(tmp_path, "llvm-stress-22", "echo hello")
        with pytest.raises(MissingTool, match="llvm-stress-22 is something else"):
            self.load()

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("exit 3", r"IR from llvm-stress --seed=1, got status 3: .*another seed"),
            ("while :; do :; done", r"--seed=1 to finish within 0.3 s.*another seed"),
            ("echo text", r"one function from llvm-stress --seed=1, got 0\. Check"),
            (
                "echo 'define i32 @f() {'; echo '  ret i64 1'; echo '}'",
                r"got llvm-stress --seed=1: line \d+, column 7: ",
            ),
        ],
    )
    def test_seeds_that_fail(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
    ) -> None:
        version = '[ "$1" = --version ] && echo LLVM version 22.1.8 && exit 0'
        self.plant(tmp_path, "llvm-stress-22", f"{version}\n{script}")
        assert LlvmStressPrograms().installed
        monkeypatch.setattr(llvm_stress, "TIME_LIMIT", 0.3)
        with pytest.raises(BadProgram, match=message):
            self.load()
