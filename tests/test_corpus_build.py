"""Building a corpus: the same everywhere, resumable, and what fails is said and costs no more."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ziglang", reason="needs the extra corpus")
pytest.importorskip("pyarrow", reason="needs the extra corpus")

from tiny_corpus import Quiet

from llmopt_bench._core import Module, autophase_names
from llmopt_bench.datasets.corpus import curate, manifest
from llmopt_bench.datasets.corpus.corpus import Corpus
from llmopt_bench.datasets.corpus.split import apart
from llmopt_bench.datasets.corpus.table import Table, read_rows
from llmopt_bench.errors import (
    BadProgram,
    CompilerCrashed,
    CompilerTimeout,
    NotBuilt,
    Unavailable,
    UnknownName,
)

FUNCTIONS = {
    "alpha/alpha.c/compare": "train",
    "alpha/alpha.c/sum": "train",
    "alpha/alpha.c/twice": "train",
    "alpha/lib/more.c/power": "train",
    "alpha/lib/more.c/product": "train",
    "beta/beta.cpp/_Z3useRK5Shapei": "train",
    "beta/beta.cpp/_Z5totalRKNSt3__16vectorIiNS_9allocatorIiEEEE": "train",
    "delta/delta.c/digits": "validation",
    "delta/delta.c/fill": "validation",
    "delta/delta.c/parity": "validation",
    "gamma/gamma.c/clamp": "mini",
    "gamma/gamma.c/mix": "mini",
}
"""What is chosen; `gather` of gamma is `product` of alpha, `tiny` is too small."""


@pytest.fixture
def fresh(built: Corpus, tmp_path: Path) -> Corpus:
    """The same corpus, built nowhere yet."""
    return Corpus(built._definition, tmp_path / "home" / "tiny-v1")


def rows(corpus: Corpus) -> dict[str, dict[str, object]]:
    return {row["uri"]: row for row in read_rows(corpus.function_table)}


class TestBuild:
    def test_chooses_by_the_rules(self, built: Corpus) -> None:
        found = {uri: entry.split for uri, entry in built.functions.items()}
        # The names of libc++'s templates in a signature are the compiler's business.
        assert found == FUNCTIONS | {
            uri: split for uri, split in found.items() if uri.startswith("beta/beta.cpp/_ZN")
        }
        assert not [uri for uri in found if "_ZNSt" in uri or "_ZNKSt" in uri]
        assert list(built.modules) == ["gamma/gamma.c"]

    def test_rows_say_what_is_true(self, built: Corpus) -> None:
        for uri, row in rows(built).items():
            bitcode = row["bitcode"]
            assert isinstance(bitcode, bytes)
            module = Module.read(bitcode, uri)
            assert row["sha256"] == hashlib.sha256(bitcode).hexdigest()
            assert row["content_hash"] == module.content_hash()
            assert row["near_hash"] == module.near_hash()
            assert row["instructions_o0"] == module.instruction_count()
            assert row["instructions_oz"] == module.reference("z")
            assert row["text_length"] == len(module.normalized_text())
            features = np.zeros(len(autophase_names()), np.int64)
            module.autophase(features)
            assert row["autophase"] == features.tolist()
            assert row["package"] == uri.split("/")[0]
            assert row["licence"] == built.recipe[uri.split("/")[0]].licence
            assert row["language"] == ("c++" if uri.startswith("beta") else "c")
            assert "minsize" in module.text()
            assert "!dbg" not in module.text()

    def test_is_the_same_elsewhere(self, built: Corpus, fresh: Corpus) -> None:
        report = fresh.build(Quiet(), jobs=1)
        assert report.complete
        assert fresh.function_table.read_bytes() == built.function_table.read_bytes()
        assert fresh.module_table.read_bytes() == built.module_table.read_bytes()

    def test_knows_nothing_of_the_machine(self, built: Corpus) -> None:
        for row in rows(built).values():
            assert isinstance(row["bitcode"], bytes)
            assert str(built.folder.parent).encode() not in row["bitcode"]
            assert b"ziglang" not in row["bitcode"]

    def test_lists_failures_with_reasons(self, built: Corpus) -> None:
        report = json.loads(built.report_file.read_text())
        failures = {p["package"]: p["failures"] for p in report["packages"]}
        assert list(failures["alpha"]) == ["broken.c"]
        assert "error: expected" in failures["alpha"]["broken.c"]
        assert not failures["beta"] | failures["gamma"] | failures["delta"]

    def test_leaves_nothing_but_what_it_says(self, built: Corpus) -> None:
        assert {path.name for path in built.folder.iterdir()} == {
            *(".lock", "build.json", "functions.parquet", "modules.parquet", "staging")
        }

    def test_does_nothing_twice(self, built: Corpus) -> None:
        watcher = Quiet()
        assert built.build(watcher, jobs=1).complete
        assert len(watcher.outcomes) == 4
        assert watcher.compiled_files == []

    def test_does_again_what_the_recipe_changed(self, fresh: Corpus) -> None:
        fresh.build(Quiet(), jobs=1)
        definition = fresh.folder.parent / "changed"
        shutil.copytree(str(fresh._definition), definition)
        text = (definition / "tiny.toml").read_text()
        (definition / "tiny.toml").write_text(text.replace("LIMIT = 7", "LIMIT = 8"))
        watcher = Quiet()
        Corpus(definition, fresh.folder).build(watcher, jobs=1)
        # beta is compiled with alpha's headers.
        assert set(watcher.compiled_files) == {"alpha", "beta"}

    def test_one_package(self, fresh: Corpus) -> None:
        report = fresh.build(Quiet(), jobs=1, packages=["delta"])
        assert set(rows(fresh)) == {uri for uri in FUNCTIONS if uri.startswith("delta/")}
        assert report.complete
        assert report.kept == (3, 0)
        assert fresh.verify()[0].packages().keys() == {"alpha", "beta", "gamma"}
        assert fresh.build(Quiet(), jobs=1, packages=["gamma"]).kept == (5, 1)
        assert {uri.split("/")[0] for uri in rows(fresh)} == {"delta", "gamma"}
        with pytest.raises(UnknownName, match="Did you mean 'delta'"):
            fresh.build(Quiet(), packages=["dleta"])

    def test_a_missing_package_costs_only_itself(self, built: Corpus, tmp_path: Path) -> None:
        definition = tmp_path / "definition"
        shutil.copytree(str(built._definition), definition)
        text = (definition / "tiny.toml").read_text()
        recipe = text.replace("delta-4.tar.gz", "delta-5.tar.gz")
        (definition / "tiny.toml").write_text(recipe)
        corpus = Corpus(definition, tmp_path / "tiny-v1")
        report = corpus.build(Quiet(), jobs=1)
        assert list(report.failed_packages) == ["delta"]
        assert "delta-5.tar.gz" in report.failed_packages["delta"]
        assert report.functions.packages() == {"delta": (3, 0, 0)}
        assert set(rows(corpus)) == {uri for uri in built.functions if not uri.startswith("delta/")}

    def test_other_code_is_left_out(self, built: Corpus, tmp_path: Path) -> None:
        definition = tmp_path / "definition"
        shutil.copytree(str(built._definition), definition)
        entries = dict(built.functions)
        uri = "alpha/alpha.c/sum"
        entries[uri] = manifest.Entry(uri, "0" * manifest.DIGITS, "train")
        del entries["delta/delta.c/fill"]
        manifest.write_manifest(definition / manifest.FUNCTIONS, entries.values())
        corpus = Corpus(definition, tmp_path / "tiny-v1")
        report = corpus.build(Quiet(), jobs=1)
        assert report.functions.different == [uri]
        assert uri not in rows(corpus)
        functions, modules = corpus.verify()
        assert functions.missing == [uri]
        assert not modules

    def test_one_build_at_a_time(self, fresh: Corpus) -> None:
        fresh.folder.mkdir(parents=True)
        with fresh._alone(), pytest.raises(Unavailable, match="no other build"):
            fresh.build(Quiet(), jobs=1)
        assert fresh.build(Quiet(), jobs=1).complete

    def test_verify_reads_the_code_itself(self, built: Corpus, fresh: Corpus) -> None:
        with pytest.raises(NotBuilt, match="datasets build tiny-v1"):
            fresh.verify()
        assert [bool(found) for found in built.verify()] == [False, False]

    def test_damage_is_noticed(self, fresh: Corpus) -> None:
        fresh.build(Quiet(), jobs=1)
        data = bytearray(fresh.function_table.read_bytes())
        data[len(data) // 3 : len(data) // 3 + 64] = bytes(64)
        fresh.function_table.write_bytes(data)
        with pytest.raises(BadProgram, match="damaged"):
            fresh.verify()


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from llmopt_bench.datasets.corpus.corpus import Corpus
from tiny_corpus import Quiet
if __name__ == "__main__":
    print("start", flush=True)
    Corpus(Path({definition!r}), Path({folder!r})).build(Quiet(), jobs=2)
"""


class TestInterrupted:
    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_goes_on(self, how: signal.Signals, fresh: Corpus, built: Corpus) -> None:
        script = SCRIPT.format(
            tests=str(Path(__file__).parent),
            definition=str(fresh._definition),
            folder=str(fresh.folder),
        )
        for seconds in (0.3, 0.8, 1.3, 1.8):
            process = subprocess.Popen(
                [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(seconds)
            process.send_signal(how)
            process.communicate(timeout=60)
            if how == signal.SIGINT:
                there = {path.name for path in fresh.folder.glob("*")}
                tables = {"functions.parquet", "modules.parquet"}
                assert there <= {".lock", "build.json", "staging"} | tables
        assert fresh.build(Quiet(), jobs=2).complete
        assert fresh.function_table.read_bytes() == built.function_table.read_bytes()

    def test_a_full_disk(self, fresh: Corpus, built: Corpus) -> None:
        script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        script += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        script += SCRIPT.format(
            tests=str(Path(__file__).parent),
            definition=str(fresh._definition),
            folder=str(fresh.folder),
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
        assert done.returncode != 0
        assert not fresh.built
        assert not list(fresh.folder.rglob("*.parquet"))
        assert fresh.build(Quiet(), jobs=2).complete
        assert fresh.function_table.read_bytes() == built.function_table.read_bytes()


class TestApart:
    def test_returns_and_raises(self, tmp_path: Path) -> None:
        def fail() -> int:
            raise BadProgram("no program")

        assert apart(lambda: os.getpid(), tmp_path) != os.getpid()
        with pytest.raises(BadProgram, match="no program"):
            apart(fail, tmp_path)

    def test_a_crash_costs_the_fork(self, tmp_path: Path) -> None:
        with pytest.raises(CompilerCrashed, match="status -6"):
            apart(os.abort, tmp_path)

    def test_a_hang_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("llmopt_bench.datasets.corpus.split.TIME_LIMIT", 0.2)
        with pytest.raises(CompilerTimeout):
            apart(lambda: time.sleep(60), tmp_path)


class TestTable:
    def test_any_row_by_its_uri(self, built: Corpus) -> None:
        with Table(built.function_table) as table:
            assert list(table.uris) == sorted(built.functions)
            for uri, row in rows(built).items():
                assert table.bitcode(uri) == row["bitcode"]
            assert table.bitcode("alpha/alpha.c/nosuch") is None
            assert table.bitcode("zzz") is None

    @pytest.mark.parametrize("content", [b"", b"PAR1", b"text" * 100])
    def test_no_parquet(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(BadProgram, match="damaged"):
            Table(tmp_path / "x.parquet")


class TestCurate:
    def test_wants_every_package(self, fresh: Corpus) -> None:
        fresh.build(Quiet(), jobs=1, packages=["delta"])
        with pytest.raises(NotBuilt, match="alpha, beta, gamma"):
            curate.write(fresh, fresh.folder)

    def test_bounds_the_share_of_cxx(self) -> None:
        def some(count: int, language: str) -> list[curate.Candidate]:
            return [
                curate.Candidate(f"{language}/{i}", language, language, "", "")
                for i in range(count)
            ]

        kept = curate._bounded(some(40, "c") + some(90, "c++"), some(10, "c++") + some(20, "c"))
        cxx = sum(c.language == "c++" for c in kept) + 10
        assert cxx == 30
        assert cxx * 3 == len(kept) + 30
