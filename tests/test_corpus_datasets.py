"""The corpus as datasets: the same programs by name, by iteration, by chance, by command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ziglang", reason="needs the extra corpus")
pytest.importorskip("pyarrow", reason="needs the extra corpus")

from tiny_corpus import Quiet

from llmopt_bench import Session, load_program, make_dataset
from llmopt_bench.cli import main
from llmopt_bench.datasets.corpus import datasets as module
from llmopt_bench.datasets.corpus.corpus import Corpus
from llmopt_bench.datasets.corpus.datasets import (
    CorpusFunctions,
    CorpusMini,
    CorpusModules,
    CorpusTest,
    CorpusTrain,
    CorpusValidation,
)
from llmopt_bench.datasets.corpus.table import Table, read_rows
from llmopt_bench.errors import BadProgram, NotBuilt, UnknownProgram
from llmopt_bench.features import feature_names


@pytest.fixture
def tiny(built: Corpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corpus]:
    """Put the small corpus in the place of the real one."""
    monkeypatch.setattr(module, "corpus_v1", lambda: built)
    make_dataset.cache_clear()
    yield built
    make_dataset.cache_clear()


@pytest.fixture
def unbuilt(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    corpus = Corpus(tiny._definition, tmp_path / "tiny-v1")
    monkeypatch.setattr(module, "corpus_v1", lambda: corpus)
    return corpus


class TestDatasets:
    def test_a_function_by_its_uri(self, tiny: Corpus) -> None:
        program = load_program("corpus-v1/alpha/alpha.c/sum")
        assert program == load_program("benchmark://corpus-v1/alpha/alpha.c/sum")
        entry = tiny.functions["alpha/alpha.c/sum"]
        assert program.sha256.startswith(entry.fingerprint)
        session = Session(program)
        row = next(r for r in read_rows(tiny.function_table) if r["uri"] == "alpha/alpha.c/sum")
        assert session.instruction_count == row["instructions_o0"]
        assert list(session.features("autophase")) == row["autophase"]
        assert len(feature_names("autophase")) == len(row["autophase"])
        session.apply("Oz")
        assert session.instruction_count == row["instructions_oz"]

    def test_splits_share_no_function(self, tiny: Corpus) -> None:
        splits = [CorpusTrain(), CorpusValidation(), CorpusTest()]
        uris = [uri for dataset in splits for uri in dataset.uris()]
        assert len(set(uris)) == len(uris)
        assert sorted(uris) == list(CorpusFunctions().uris())
        assert set(CorpusMini().uris()) <= set(CorpusTest().uris())
        packages = [{uri.split("/")[1] for uri in dataset.uris()} for dataset in splits]
        assert packages == [{"alpha", "beta"}, {"delta"}, {"gamma"}]

    @pytest.mark.parametrize("cls", module.CORPUS_DATASETS)
    def test_iteration_is_loading(self, cls: type[module.CorpusDataset], tiny: Corpus) -> None:
        dataset = cls()
        assert len(dataset) > 0
        assert list(dataset) == [load_program(uri) for uri in dataset.uris()]
        assert dataset.installed

    def test_random_follows_the_generator(self, tiny: Corpus) -> None:
        picked = [
            [CorpusTrain().random(np.random.default_rng(seed)).uri for _ in range(2)]
            for seed in range(30)
        ]
        assert all(first == second for first, second in picked)
        assert {first for first, _ in picked} <= set(CorpusTrain().uris())
        assert len({first for first, _ in picked}) > 3

    def test_whole_files(self, tiny: Corpus) -> None:
        program = load_program("corpus-modules-v1/gamma/gamma.c")
        assert set(Session(program).external_definitions()) == {"gather", "clamp", "mix"}
        assert list(CorpusModules().uris()) == ["corpus-modules-v1/gamma/gamma.c"]

    def test_licences(self, tiny: Corpus) -> None:
        assert CorpusTrain().licences == {"alpha": "MIT", "beta": "Apache-2.0"}
        assert CorpusTest().licences == {"gamma": "GPL-2.0-or-later"}

    def test_another_split_is_refused(self, tiny: Corpus) -> None:
        with pytest.raises(UnknownProgram, match="corpus-train-v1"):
            CorpusTrain().load("corpus-v1/gamma/gamma.c/mix")

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            ("corpus-v1/alpha/alpha.c/sun", "Did you mean 'alpha/alpha.c/sum'"),
            ("corpus-v1/alhpa/alpha.c/sum", "unknown package of corpus-v1 'alhpa'"),
            ("corpus-v1/alpha", "unknown program"),
            ("corpus-modules-v1/gamma/gama.c", "Did you mean 'gamma/gamma.c'"),
        ],
    )
    def test_unknown_names(self, uri: str, message: str, tiny: Corpus) -> None:
        with pytest.raises(UnknownProgram) as caught:
            load_program(uri)
        assert message in str(caught.value)

    def test_not_built(self, unbuilt: Corpus) -> None:
        dataset = CorpusTrain()
        assert not dataset.installed
        assert dataset.size == len(list(dataset.uris())) > 0
        with pytest.raises(NotBuilt, match="llmopt-bench datasets build tiny-v1"):
            dataset.load("corpus-v1/alpha/alpha.c/sum")
        with pytest.raises(NotBuilt):
            next(iter(dataset))

    def test_built_in_part(self, unbuilt: Corpus) -> None:
        unbuilt.build(Quiet(), jobs=1, packages=["delta"])
        assert len(list(CorpusValidation())) == 3
        with pytest.raises(NotBuilt, match="--packages alpha"):
            CorpusTrain().load("corpus-v1/alpha/alpha.c/sum")
        with pytest.raises(NotBuilt, match="--packages alpha"):
            list(CorpusFunctions())

    def test_a_new_build_is_seen(self, unbuilt: Corpus) -> None:
        unbuilt.build(Quiet(), jobs=1, packages=["delta"])
        assert len(list(CorpusValidation())) == 3
        unbuilt.build(Quiet(), jobs=1)
        assert len(list(CorpusFunctions())) == len(unbuilt.functions)

    def test_a_damaged_table(self, unbuilt: Corpus) -> None:
        unbuilt.build(Quiet(), jobs=1, packages=["delta"])
        unbuilt.function_table.write_bytes(unbuilt.function_table.read_bytes()[:-9])
        with pytest.raises(BadProgram, match="damaged"):
            CorpusValidation().load("corpus-v1/delta/delta.c/fill")


class TestCommands:
    def run(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return int(caught.value.code or 0)

    def test_build_and_verify(self, unbuilt: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run("datasets", "verify", "corpus-v1") == 1
        assert "datasets build tiny-v1" in capsys.readouterr().err
        assert self.run("datasets", "build", "corpus-functions-v1", "--jobs", "1") == 0
        out = capsys.readouterr().out
        assert "4 packages, 6 files, of which 1 do not compile" in out
        assert f"{len(unbuilt.functions)} of {len(unbuilt.functions)} functions" in out
        assert str(unbuilt.report_file) in out
        assert self.run("datasets", "verify", "corpus-v1") == 0
        assert "1 of 1 files are those of the manifest" in capsys.readouterr().out

    def test_what_is_missing_is_said(
        self, unbuilt: Corpus, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run("datasets", "build", "corpus-v1", "--packages", "delta,gamma") == 0
        assert "alpha:" not in capsys.readouterr().out
        assert self.run("datasets", "verify", "corpus-v1", "--json") == 1
        found = json.loads(capsys.readouterr().out)
        assert "alpha/alpha.c/sum" in found["functions"]["missing"]
        assert found["modules"] == {"missing": [], "different": [], "extra": []}
        assert self.run("datasets", "build", "corpus-v1", "--packages", "dleta") == 2
        assert "Did you mean 'delta'" in capsys.readouterr().err

    def test_list(self, unbuilt: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run("datasets", "--json") == 0
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["datasets"]}
        assert rows["corpus-v1"]["programs"] == len(unbuilt.functions)
        assert rows["corpus-functions-mini-v1"]["programs"] == 2
        assert not rows["corpus-v1"]["installed"]

    def test_a_task_says_at_once_what_it_needs(
        self, unbuilt: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        task = ["--task", "corpus-functions-mini-v1", "--agents", "Oz", "--out", str(out)]
        assert self.run("run", *task) == 1
        assert "llmopt-bench datasets build tiny-v1" in capsys.readouterr().err
        assert not out.exists()

    def test_others_need_no_building(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run("datasets", "build", "bundled-v1") == 0
        assert "ready to use" in capsys.readouterr().out


MEMORY = """
import os, resource, sys
from pathlib import Path
from llmopt_bench.datasets.corpus.table import Table, module_schema, write_table
def rows(count):
    for i in range(count):
        yield {"uri": f"p/{i:06}", "bitcode": os.urandom(40_000), "package": "p", "language": "c",
               "licence": "MIT", "sha256": "0" * 64, "instructions_o0": i}
path = Path(sys.argv[1])
write_table(path, module_schema(), rows(int(sys.argv[2])))
with Table(path) as table:
    for group in range(table.groups):
        table.read_group(group, ["uri", "bitcode"])
    for uri in list(table.uris)[::100]:
        table.bitcode(uri)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        command: list[Any] = [sys.executable, "-c", MEMORY, tmp_path / f"{count}.parquet", count]
        return int(subprocess.run(map(str, command), capture_output=True, check=True).stdout)

    # 10 and 160 MB of bitcode.
    assert peak(4000) - peak(250) < 40
    with Table(tmp_path / "4000.parquet") as table:
        assert len(table) == 4000
