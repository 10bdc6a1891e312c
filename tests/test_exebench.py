"""ExeBench's rows: C functions out of all the files they come in."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from json_lines_files import SUFFIXES, pack

from llmopt_bench._core import Module
from llmopt_bench.datasets import load_program
from llmopt_bench.datasets.exebench import ExeBenchPrograms
from llmopt_bench.datasets.foreign import Failure, Origin
from llmopt_bench.errors import BadProgram, MissingTool, UnknownProgram


def installed() -> bool:
    return ExeBenchPrograms("x.jsonl").installed


needs_clang = pytest.mark.skipif(not installed(), reason="needs clang 22")


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "path": f"someone/project/{number}.c",
        "func_def": f"T f{number}(T x) {{ return x + {number}; }}",
        "real_deps": "typedef long T;\n",
        "synth_deps": "typedef int T;\n",
        **fields,
    }


def lines_of(*rows: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in rows)


def write(path: Path, *rows: Any) -> Path:
    """Write rows into a file of the kind that its ending says."""
    suffix = next(s for s in SUFFIXES if path.name.endswith(s))
    path.write_bytes(pack(suffix, lines_of(*rows)))
    return path


@needs_clang
class TestPrograms:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_all_kinds_of_files(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"x{suffix}", *map(row, range(4)))
        dataset = ExeBenchPrograms(path)
        assert dataset.size == 4
        uris = [f"file://{path}#{n}" for n in range(4)]
        assert list(dataset.uris()) == uris
        programs = list(dataset)
        assert [p.uri for p in programs] == uris
        for number, program in enumerate(programs):
            assert Module.read(program.bitcode, "row").functions() == [f"f{number}"]
        for number in (2, 3, 0, 3):
            assert dataset.load(uris[number]) == programs[number]
        assert load_program(uris[1]) == programs[1]
        assert load_program(f"{path}#1") == programs[1]
        assert dataset.origin(uris[3]) == Origin(package="someone/project/3.c", language="c")

    def test_source_and_size_attributes(self, tmp_path: Path) -> None:
        program = load_program(f"{write(tmp_path / 'x.jsonl', row(5))}#0")
        assert program.source is not None
        assert program.source.split("\n", 2)[0] == "typedef long T;"
        assert "T f5(T x)" in program.source
        assert "minsize" in Module.read(program.bitcode, "row").text()

    def test_published_rows_are_in_a_field_and_name_the_synthetic_otherwise(
        self, tmp_path: Path
    ) -> None:
        fields = row(1)
        fields["angha_deps"] = fields.pop("synth_deps")
        path = write(tmp_path / "x.jsonl", {"meta": {}, "text": fields})
        (program,) = ExeBenchPrograms(path, deps="synth")
        assert "typedef int T" in str(program.source)

    @pytest.mark.parametrize(
        ("deps", "absent", "expected"),
        [
            ("auto", (), "long"),
            ("auto", ("real_deps",), "int"),
            ("real", (), "long"),
            ("synth", (), "int"),
        ],
    )
    def test_whose_declarations(
        self, tmp_path: Path, deps: Any, absent: tuple[str, ...], expected: str
    ) -> None:
        path = write(tmp_path / "x.jsonl", row(1, **dict.fromkeys(absent)))
        (program,) = ExeBenchPrograms(path, deps=deps)
        assert f"typedef {expected} T;" in str(program.source)

    def test_a_function_that_needs_nothing(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.jsonl", {"func_def": "int f(void) { return 1; }"})
        (program,) = ExeBenchPrograms(path)
        assert Module.read(program.bitcode, "row").functions() == ["f"]
        (failure,) = failures_of(ExeBenchPrograms(path, deps="real"))
        assert "real_deps of file:" in failure.reason
        assert 'got none. Take deps="auto"' in failure.reason

    def test_arguments_reach_the_compiler(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.jsonl", row(1, func_def="T f(void) { return EXTRA; }"))
        (program,) = ExeBenchPrograms(path, cflags=["-DEXTRA=77"])
        assert "77" in Module.read(program.bitcode, "row").text()

    def test_rows_that_do_not_compile_are_reported(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "x.jsonl", row(0), row(1, func_def="T f(T x) { return y; }"), row(2)
        )
        told: list[Failure] = []
        dataset = ExeBenchPrograms(path, on_failure=told.append)
        assert [p.uri for p in dataset] == [f"file://{path}#0", f"file://{path}#2"]
        assert (dataset.failures.count, dataset.failures.first) == (1, told)
        assert told[0].uri == f"file://{path}#1"
        assert "x.jsonl#1: expected a source that compiles" in told[0].reason
        assert "undeclared identifier 'y'" in told[0].reason
        with pytest.raises(BadProgram, match="undeclared identifier 'y'"):
            dataset.load(f"file://{path}#1")

    def test_random(self, tmp_path: Path) -> None:
        dataset = ExeBenchPrograms(write(tmp_path / "x.jsonl", *map(row, range(3))))
        rng = np.random.default_rng(1)
        assert len({dataset.random(rng).uri for _ in range(20)}) == 3


def failures_of(dataset: ExeBenchPrograms) -> list[Failure]:
    assert list(dataset) == []
    return dataset.failures.first


class TestBadRows:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (b"[1]", r"fields of ExeBench in .*#0, got \[1\]"),
            (b'"text"', r"fields of ExeBench in .*#0, got 'text'"),
            (b'{"text": 3}', r"fields of ExeBench in .*#0, got {'text': 3}"),
            (b"{", r"a JSON object in .*#0, got b'{\\n': "),
            (b"", r"a JSON object in .*#0, got b'\\n': "),
            (b"\xff\xfe{}", r"a JSON object in .*#0, got "),
            (b"[" * 200_000, r"a JSON object in .*#0, got "),
            (b"{}", r"'func_def' of .*#0, got None among the fields \[\]"),
            (b'{"func_def": 3}', r"'func_def' of .*#0, got 3 among the fields \['func_def'\]"),
            (rb'{"func_def": "\ud800"}', r"Unicode text in .*#0, got .*surrogates"),
        ],
    )
    def test_rows_that_are_none(self, tmp_path: Path, line: bytes, message: str) -> None:
        path = tmp_path / "x.jsonl"
        path.write_bytes(line + b"\n")
        with pytest.raises(BadProgram, match=message):
            load_program(f"{path}#0")
        (failure,) = failures_of(ExeBenchPrograms(path))
        assert "Skip this row" in failure.reason

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_no_such_row(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"x{suffix}", row(0), row(1))
        for _ in range(2):
            with pytest.raises(UnknownProgram, match=r"has from 0 to 1, got row 2\. Take another"):
                load_program(f"{path}#2")

    def test_wrong_choice(self) -> None:
        with pytest.raises(ValueError, match="expected deps of auto, real, synth, got 'angha'"):
            ExeBenchPrograms("x.jsonl", deps="angha")  # type: ignore[arg-type]

    def test_no_rows(self, tmp_path: Path) -> None:
        dataset = ExeBenchPrograms(write(tmp_path / "x.jsonl.zst"))
        assert dataset.size == 0
        with pytest.raises(BadProgram, match=r"at least one program in .*x.jsonl.zst, got none"):
            list(dataset)

    def test_zstd_needs_pyarrow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "x.jsonl.zst", row(0))
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(MissingTool, match=r"llmopt-bench\[corpus\]"):
            load_program(f"{path}#0")


class TestFilesOfRows:
    def test_a_changed_file_is_read_anew(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.jsonl", [1], [2])
        with pytest.raises(BadProgram, match=r"got \[1\]"):
            load_program(f"{path}#0")
        write(path, [333])
        with pytest.raises(BadProgram, match=r"got \[333\]"):
            load_program(f"{path}#0")

    def test_can_be_sent_to_workers(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.jsonl", [0], [1])
        dataset = ExeBenchPrograms(path)
        assert dataset.size == 2
        assert pickle.loads(pickle.dumps(dataset)).size == 2
