"""Streams from a hub: tried on local folders through the real library, and without a network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench.datasets.foreign import Origin
from llmopt_bench.datasets.hub_rows import HubPrograms
from llmopt_bench.errors import BadProgram, MissingTool, Unavailable, UnknownProgram

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("datasets")

MAGIC = b"BC\xc0\xde"


def code(number: int) -> bytes:
    return MAGIC + number.to_bytes(4, "little")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the library leaves behind out of the user's folders."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of 20 rows in two files, every fourth in C++."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for first in (0, 10):
        numbers = range(first, first + 10)
        table = pa.table(
            {
                "content": pa.array(map(code, numbers), pa.binary()),
                "language": ["c" if n % 4 else "cpp" for n in numbers],
                "package_source": [f"package {n}" for n in numbers],
            }
        )
        pq.write_table(table, folder / f"part-{first}.parquet", row_group_size=4)
    return folder


def write(folder: Path, **columns: object) -> Path:
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "x.parquet")
    return folder


class TestLocalFolder:
    def test_all_rows_in_order(self, folder: Path) -> None:
        dataset = HubPrograms(str(folder))
        programs = list(dataset)
        assert [p.bitcode for p in programs] == [code(n) for n in range(20)]
        assert [p.uri for p in programs] == [f"hub://{folder}/train#{n}" for n in range(20)]
        assert list(dataset.uris()) == [p.uri for p in programs]
        for number in (0, 9, 10, 19):
            assert dataset.load(programs[number].uri) == programs[number]

    def test_one_language(self, folder: Path) -> None:
        dataset = HubPrograms(str(folder), language="cpp")
        programs = list(dataset)
        assert [p.bitcode for p in programs] == [code(n) for n in range(0, 20, 4)]
        assert programs[3].uri == f"hub://{folder}/train?language=cpp#3"
        assert dataset.load(programs[3].uri) == programs[3]

    def test_a_folder_of_the_dataset_and_a_revision_are_named(self, tmp_path: Path) -> None:
        inner = write(tmp_path / "inner", content=[code(7)])
        write(tmp_path / "other", content=[code(8)])
        (program,) = HubPrograms(str(tmp_path), data_dir="inner")
        assert inner.exists()
        assert program.bitcode == code(7)
        assert HubPrograms("a/b", "test", revision="v1")._place == "hub://a/b@v1/test"

    def test_origin(self, folder: Path) -> None:
        origin = HubPrograms(str(folder)).origin(f"hub://{folder}/train#13")
        assert origin == Origin(package="package 13", language="c")

    def test_rows_that_are_no_programs_are_reported(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x", content=[code(0), None, b"\x7fELF", code(3)])
        dataset = HubPrograms(str(path))
        assert [p.bitcode for p in dataset] == [code(0), code(3)]
        null, elf = dataset.failures.first
        assert null.uri == f"hub://{path}/train#1"
        assert "got null" in null.reason
        assert "got b'\\x7fELF'" in elf.reason

    def test_size_is_not_guessed(self, folder: Path) -> None:
        dataset = HubPrograms(str(folder))
        assert dataset.size is None
        with pytest.raises(Unavailable, match=r"the number of rows .*, and it is not known"):
            dataset.random(np.random.default_rng(1))

    def test_nothing_happens_before_the_first_use(self, tmp_path: Path) -> None:
        assert (
            repr(HubPrograms(str(tmp_path / "gone")))
            == f"<Dataset hub hub://{tmp_path}/gone/train>"
        )


class TestBadInput:
    def test_no_such_row(self, folder: Path) -> None:
        dataset = HubPrograms(str(folder))
        with pytest.raises(UnknownProgram, match=r"which has fewer, got row 20\. Take another"):
            dataset.load(f"hub://{folder}/train#20")
        for uri in ("hub://other/train#1", f"hub://{folder}/train#-1", f"hub://{folder}/train#07"):
            with pytest.raises(UnknownProgram, match=r"expected hub://.*/train#<row>, got 'hub:"):
                dataset.load(uri)

    def test_no_such_split_or_language(self, folder: Path) -> None:
        with pytest.raises(UnknownProgram, match=r"got: Bad split: test\. .*Check name, split"):
            list(HubPrograms(str(folder), "test"))
        with pytest.raises(BadProgram, match=r"one program in .*language=rust, got none"):
            list(HubPrograms(str(folder), language="rust"))

    def test_wrong_schema(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x", bitcode=[MAGIC])
        with pytest.raises(BadProgram, match=r"a column 'content' .*, got \['bitcode'\]"):
            list(HubPrograms(str(path)))
        with pytest.raises(BadProgram, match=r"columns of ComPile .*language"):
            list(HubPrograms(str(path), language="c"))
        path = write(tmp_path / "y", content=["text"])
        dataset = HubPrograms(str(path))
        assert list(dataset) == []
        assert "got str" in dataset.failures.first[0].reason

    def test_broken_files(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x", content=[code(n) for n in range(999)])
        whole = (path / "x.parquet").read_bytes()
        for data in (whole[:-20], whole[:4] + bytes(40) + whole[44:]):
            (path / "x.parquet").write_bytes(data)
            with pytest.raises(BadProgram, match=r"complete Parquet files .*download it again"):
                list(HubPrograms(str(path)))

    def test_no_files(self, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        with pytest.raises(UnknownProgram, match="doesn't contain any data files"):
            list(HubPrograms(str(tmp_path / "x")))

    def test_without_the_library(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(MissingTool, match=r"pip install 'llmopt-bench\[hub\]'"):
            list(HubPrograms(str(folder)))
        assert not HubPrograms(str(folder)).installed


class TestNetwork:
    @pytest.fixture
    def port(self) -> Iterator[int]:
        """Return a port where somebody takes calls and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    def ask(self, endpoint: str, tmp_path: Path, **environment: str) -> str:
        """Return what a fresh interpreter raises; the library reads its settings when imported."""
        script = (
            "from llmopt_bench.datasets import hub_rows\n"
            "hub_rows.TIME_LIMIT = 0.5\n"
            "try: next(iter(hub_rows.HubPrograms()))\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **settings, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert time.monotonic() - start < 30
        return done.stdout

    def test_nobody_answers(self, tmp_path: Path, port: int) -> None:
        said = self.ask(f"http://127.0.0.1:{port}", tmp_path)
        assert said.startswith("Unavailable expected an answer about hub://llvm-ml/ComPile/train")
        assert "Timeout" in said
        assert "Check the network, or download the Parquet files" in said

    def test_nobody_is_there(self, tmp_path: Path) -> None:
        # Bound and not listening: nobody else gets the port, and a call is refused.
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            said = self.ask(f"http://127.0.0.1:{closed.getsockname()[1]}", tmp_path)
        assert said.startswith("Unavailable ")
        assert "refused" in said

    def test_offline_by_choice(self, tmp_path: Path, port: int) -> None:
        said = self.ask(f"http://127.0.0.1:{port}", tmp_path, HF_HUB_OFFLINE="1")
        assert said.startswith("Unavailable ")
        assert "offline" in said.lower()

    def test_no_such_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownProgram, match="Check name, split"):
            list(HubPrograms("no/such/folder/anywhere"))
