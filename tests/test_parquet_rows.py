"""Bitcode in Parquet: every program, in constant memory, or an error that helps."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench.datasets import load_program, parquet_rows
from llmopt_bench.datasets.foreign import Failure, Origin
from llmopt_bench.datasets.parquet_rows import ParquetPrograms
from llmopt_bench.errors import BadProgram, MissingTool, UnknownProgram

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MAGIC = b"BC\xc0\xde"
COLUMNS = ("license_expression", "license_source", "package_source", "language")


def code(number: int) -> bytes:
    """Return what looks like bitcode, another for each number."""
    return MAGIC + number.to_bytes(4, "little")


def write(path: Path, numbers: range, group: int = 4) -> Path:
    """Write rows with all columns of ComPile, in row groups of ``group`` rows."""
    columns = {name: [f"{name} {n}" for n in numbers] for name in COLUMNS}
    table = pa.table({"content": pa.array(map(code, numbers), pa.binary()), **columns})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


def write_column(path: Path, values: object, name: str = "content") -> Path:
    pq.write_table(pa.table({name: values}), path)
    return path


class TestParquet:
    def test_rows_in_order_of_files_groups_and_rows(self, tmp_path: Path) -> None:
        second = write(tmp_path / "b" / "x.parquet", range(10, 13))
        first = write(tmp_path / "a.parquet", range(10))
        dataset = ParquetPrograms(tmp_path)
        uris = [f"file://{first}#{n}" for n in range(10)] + [
            f"file://{second}#{n}" for n in (0, 1, 2)
        ]
        assert dataset.size == 13
        assert list(dataset.uris()) == uris
        programs = list(dataset)
        assert [p.uri for p in programs] == uris
        assert [p.bitcode for p in programs] == [code(n) for n in range(13)]
        assert [dataset.load(uri) for uri in uris] == programs
        assert dataset.failures.count == 0

    def test_rows_of_a_group_that_is_decoded_in_parts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parquet_rows, "MOST_ROWS", 2)
        path = write(tmp_path / "x.parquet", range(13), group=5)
        assert [p.bitcode for p in ParquetPrograms(path)] == [code(n) for n in range(13)]
        assert [load_program(f"{path}#{n}").bitcode for n in range(13)] == [
            code(n) for n in range(13)
        ]

    def test_the_bitcode_of_a_program_survives(self, tmp_path: Path) -> None:
        bitcode = load_program("bundled-v1/lzss").bitcode
        path = write_column(tmp_path / "x.parquet", [bitcode])
        assert load_program(f"file://{path}#0").bitcode == bitcode

    def test_rows_are_loaded_by_uri_and_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "a b.parquet", range(9))
        uri = f"file://{tmp_path}/a%20b.parquet#7"
        monkeypatch.chdir(tmp_path)
        for name in (uri, f"{path}#7", "a b.parquet#7", Path("a b.parquet#7")):
            program = load_program(name)
            assert (program.uri, program.bitcode) == (uri, code(7))

    def test_what_a_row_says_of_its_origin(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.parquet", range(6))
        assert ParquetPrograms(path).origin(f"file://{path}#5") == Origin(
            package="package_source 5",
            language="language 5",
            licence="license_expression 5",
            licence_source="license_source 5",
        )

    def test_origin_may_be_missing_null_or_of_any_type(self, tmp_path: Path) -> None:
        path = write_column(tmp_path / "x.parquet", [code(0)])
        assert ParquetPrograms(path).origin(f"file://{path}#0") == Origin()
        table = pa.table({"content": [code(0)], "language": [None], "package_source": [3]})
        pq.write_table(table, tmp_path / "y.parquet")
        odd = ParquetPrograms(tmp_path / "y.parquet")
        assert odd.origin(next(odd.uris())) == Origin()

    @pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
    def test_all_types_of_bytes(self, tmp_path: Path, kind: str) -> None:
        column = pa.array([code(1)]).cast(getattr(pa, kind)())
        (program,) = ParquetPrograms(write_column(tmp_path / "x.parquet", column))
        assert program.bitcode == code(1)

    def test_random_follows_the_generator_and_reaches_all(self, tmp_path: Path) -> None:
        write(tmp_path / "a.parquet", range(3))
        write(tmp_path / "b.parquet", range(0))
        write(tmp_path / "c.parquet", range(3, 6))
        dataset = ParquetPrograms(tmp_path)

        def draw(seed: int) -> list[bytes]:
            rng = np.random.default_rng(seed)
            return [dataset.random(rng).bitcode for _ in range(60)]

        assert draw(1) == draw(1) != draw(2)
        assert set(draw(1)) == {code(n) for n in range(6)}

    def test_rows_that_are_no_programs_are_reported(self, tmp_path: Path) -> None:
        path = write_column(tmp_path / "x.parquet", [code(0), None, b"\x7fELF", b"", code(4)])
        told: list[Failure] = []
        dataset = ParquetPrograms(path, on_failure=told.append)
        for _ in range(2):
            assert [p.bitcode for p in dataset] == [code(0), code(4)]
            assert dataset.failures.count == 3
            assert [f.uri for f in dataset.failures.first] == [
                f"file://{path}#{n}" for n in (1, 2, 3)
            ]
        assert told == dataset.failures.first * 2
        for number, message in (
            (1, "got null. Skip this row"),
            (2, "got b'.x7fELF'"),
            (3, "got b''"),
        ):
            assert re.search(message, told[number - 1].reason)
            with pytest.raises(BadProgram, match=message):
                load_program(f"file://{path}#{number}")

    def test_a_huge_row(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from llmopt_bench.datasets import compile_schema

        path = write(tmp_path / "x.parquet", range(1))
        monkeypatch.setattr(compile_schema, "MAX_BYTES", 7)
        with pytest.raises(BadProgram, match=r"at most 7 bytes .*x.parquet#0, got 8\. Split the"):
            load_program(f"{path}#0")

    def test_a_changed_file_is_read_anew(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.parquet", range(5))
        load_program(f"{path}#4")
        write(path, range(20, 22))
        assert load_program(f"{path}#1").bitcode == code(21)
        with pytest.raises(UnknownProgram):
            load_program(f"{path}#4")

    def test_iteration_takes_constant_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        table = pa.table({"content": [MAGIC + os.urandom(1 << 16)] * 2_000})
        # One row group of 131 MB, in pages of 1 MB.
        pq.write_table(table, path, compression="NONE", use_dictionary=False, write_batch_size=8)
        assert path.stat().st_size > 131e6
        script = (
            "import re, sys\n"
            "highest = re.compile(r'VmHWM:\\s+(\\d+)')\n"
            "from pathlib import Path\n"
            "from llmopt_bench.datasets.parquet_rows import ParquetPrograms\n"
            "def peak():\n"
            "    return int(highest.search(Path('/proc/self/status').read_text())[1])\n"
            "dataset = ParquetPrograms(sys.argv[1])\n"
            "size, before = dataset.size, peak()\n"
            "print(size - sum(1 for _ in dataset), peak() - before)"
        )
        command = [sys.executable, "-c", script, str(path)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        missing, kibibytes = map(int, out.split())
        assert missing == 0
        assert kibibytes < 100_000  # what the allocators keep; the same for any size

    def test_can_be_sent_to_workers(self, tmp_path: Path) -> None:
        dataset = ParquetPrograms(write(tmp_path / "x.parquet", range(5)))
        assert list(pickle.loads(pickle.dumps(dataset))) == list(dataset)

    def test_says_where_it_is_without_counting(self, tmp_path: Path) -> None:
        assert repr(ParquetPrograms(tmp_path / "gone.parquet")) == (
            f"<Dataset parquet {tmp_path}/gone.parquet>"
        )


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4:40] = bytes(36)
    path.write_bytes(data)


class TestBadParquet:
    @pytest.mark.parametrize("spoil", [cut, damage, lambda path: path.write_bytes(b"")])
    def test_broken_files(self, tmp_path: Path, spoil: Callable[[Path], object]) -> None:
        path = write(tmp_path / "x.parquet", range(9))
        spoil(path)
        message = r"complete Parquet file, got .*x.parquet: .+\. Write or download it again"
        with pytest.raises(BadProgram, match=message):
            load_program(f"{path}#0")
        with pytest.raises(BadProgram, match=message):
            list(ParquetPrograms(tmp_path))

    @pytest.mark.parametrize(
        ("column", "values", "message"),
        [
            ("bitcode", [MAGIC], r"a column 'content' .* got columns bitcode\. Rename"),
            ("content", ["text"], r"bytes in column 'content' .*, got string\. Write"),
            ("content", [1], r"bytes in column 'content' .*, got int64"),
            ("content", [[MAGIC]], r"bytes in column 'content' .*, got list<"),
            ("content", [None], r"bytes in column 'content' .*, got null"),
        ],
    )
    def test_wrong_schema(
        self, tmp_path: Path, column: str, values: list[object], message: str
    ) -> None:
        path = write_column(tmp_path / "x.parquet", values, column)
        for use in (list, lambda d: d.size, lambda d: d.origin(f"file://{path}#0")):
            with pytest.raises(BadProgram, match=message):
                use(ParquetPrograms(path))

    @pytest.mark.parametrize("row", [5, 10**17])
    def test_no_such_row(self, tmp_path: Path, row: int) -> None:
        path = write(tmp_path / "x.parquet", range(5))
        with pytest.raises(UnknownProgram, match=rf"from 0 to 4, got row {row:,}\. Take"):
            load_program(f"{path}#{row}")

    @pytest.mark.parametrize("row", ["", "-1", "007", "x", "9" * 5000])
    def test_rows_that_are_no_numbers(self, tmp_path: Path, row: str) -> None:
        path = write(tmp_path / "x.parquet", range(5))
        for name in (f"{path}#{row}", f"file://{path}#{row}"):
            with pytest.raises(UnknownProgram, match=r"<row>, a plain number from 0, got "):
                load_program(name)

    def test_no_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.parquet", range(0))
        dataset = ParquetPrograms(path)
        assert dataset.size == 0
        with pytest.raises(BadProgram, match=r"at least one program in .*x.parquet, got none"):
            list(dataset)
        with pytest.raises(BadProgram, match="at least one program"):
            dataset.random(np.random.default_rng(1))
        with pytest.raises(UnknownProgram, match="which has none: it is empty, got row 0"):
            load_program(f"{path}#0")

    def test_wrong_places(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.parquet", range(5))
        other = write(tmp_path / "y.parquet", range(5))
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes.txt").touch()
        os.mkfifo(tmp_path / "pipe.parquet")
        for name, error, message in (
            ("z.parquet", UnknownProgram, r"z.parquet, got no file\. Did you mean y.parquet"),
            ("empty", UnknownProgram, r"files that end in .parquet below .*empty, got none"),
            ("notes.txt", BadProgram, r"ends in .parquet, or a folder of them, got .*notes.txt"),
            ("pipe.parquet", BadProgram, r"pipe.parquet: it is not a plain file"),
            ("a\0.parquet", BadProgram, r"no file can have such a name"),
        ):
            with pytest.raises(error, match=message):
                list(ParquetPrograms(tmp_path / name))
        with pytest.raises(UnknownProgram, match=r"a row of .*x.parquet, got one of .*y.parquet"):
            ParquetPrograms(path).load(f"file://{other}#0")
        with pytest.raises(BadProgram, match=r"one row of .*Name a row, .*x.parquet#0\."):
            load_program(path)

    def test_without_pyarrow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "x.parquet", range(5))
        assert ParquetPrograms(path).installed
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        assert not ParquetPrograms(path).installed
        with pytest.raises(MissingTool, match=re.escape("pip install 'llmopt-bench[corpus]'")):
            load_program(f"{path}#0")
