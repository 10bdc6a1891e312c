"""Random programs: the same for everybody, or an error that says what is missing."""

from __future__ import annotations

import functools
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench._core import Module
from llmopt_bench.datasets import csmith, load_program, make_dataset
from llmopt_bench.errors import BadProgram, MissingTool, UnknownProgram

needs_csmith = pytest.mark.skipif(
    not make_dataset("csmith-v0").installed, reason="needs csmith, libcsmith-dev and clang 22"
)


class TestCsmith:
    def test_is_endless(self) -> None:
        dataset = make_dataset("csmith-v0")
        assert dataset.size is None
        assert list(islice(dataset.uris(), 2)) == ["csmith-v0/0", "csmith-v0/1"]

    @needs_csmith
    def test_a_seed_is_a_program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        program = load_program("csmith-v0/13")
        assert load_program("benchmark://csmith-v0/13") == program
        assert load_program("csmith-v0/16") != program
        assert str(tmp_path).encode() not in program.bitcode
        assert list(tmp_path.iterdir()) == []
        assert program.source is not None
        assert "csmith.h" in program.source
        module = Module.read(program.bitcode, "random")
        assert "main" in module.functions()
        assert module.instruction_count() == 206
        assert " volatile " not in module.text()

    @needs_csmith
    def test_random_follows_the_generator(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seeds: list[int] = []
        monkeypatch.setattr(csmith, "_generate", lambda seed: seeds.append(seed) or "int x;\n")
        for _ in range(2):
            make_dataset("csmith-v0").random(np.random.default_rng(3))
        assert seeds[0] == seeds[1] > 2**16

    @pytest.mark.parametrize("seed", ["-1", "007", "1.0", "x", "", "4294967296", "9" * 5000])
    def test_wrong_seeds(self, seed: str) -> None:
        with pytest.raises(UnknownProgram, match="csmith-v0/<"):
            load_program(f"csmith-v0/{seed}")


class TestCsmithIsNotThere:
    @pytest.fixture(autouse=True)
    def fresh_search(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        search = csmith._tools.__wrapped__
        monkeypatch.setattr(csmith, "_tools", functools.cache(search))

    def plant(self, folder: Path, script: str) -> None:
        (folder / "csmith").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "csmith").chmod(0o755)

    def test_missing(self) -> None:
        with pytest.raises(MissingTool, match="apt-get install csmith libcsmith-dev"):
            load_program("csmith-v0/1")
        assert not make_dataset("csmith-v0").installed

    def test_nothing_is_written_where_one_works(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        self.plant(tmp_path, "echo > platform.info; echo csmith 2.3.0")
        assert not make_dataset("csmith-v0").installed
        assert list((tmp_path / "here").iterdir()) == []

    def test_another_version_makes_other_programs(self, tmp_path: Path) -> None:
        self.plant(tmp_path, "echo csmith 2.4.0")
        with pytest.raises(MissingTool, match=r"expected csmith 2.3.0, got 'csmith 2.4.0'"):
            load_program("csmith-v0/1")

    def test_no_headers(self, tmp_path: Path) -> None:
        self.plant(tmp_path, "echo csmith 2.3.0")
        with pytest.raises(MissingTool, match=r"expected csmith.h in .*include/csmith"):
            load_program("csmith-v0/1")

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("exit 3", r"program from csmith --seed 1, got status 3: .*another seed"),
            ("while :; do :; done", r"csmith --seed 1 to finish within 0.3 s"),
        ],
    )
    def test_seeds_that_fail(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
    ) -> None:
        self.plant(tmp_path, script)
        monkeypatch.setattr(csmith, "_tools", lambda: (str(tmp_path / "csmith"), tmp_path))
        monkeypatch.setattr(csmith, "TIME_LIMIT", 0.3)
        with pytest.raises(BadProgram, match=message):
            load_program("csmith-v0/1")
