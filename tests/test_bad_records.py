"""Broken records and files of records: a value or an error of ours, and files that stay whole."""

from __future__ import annotations

import gzip
import json
import math
import os
import resource
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import llmopt_bench.record as record_module
from llmopt_bench.errors import BadRecord
from llmopt_bench.record import Record, RecordWriter, read_records
from llmopt_bench.record_fields import MAX_AMOUNT, MAX_SIZE
from llmopt_bench.score import score_table

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from bad_input import anything, damaged, try_many, value_or_refusal

FAST, MANY = 80, 2500
GOLDEN = Path(__file__).parent / "golden"
LINES = [
    line
    for name in ("records_v2.jsonl", "records_v1.jsonl")
    for line in (GOLDEN / name).read_text("utf-8").splitlines()
]
GOOD = Record.from_json(LINES[0])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, MAX_SIZE, MAX_SIZE + 1, -1, 2**63, 1e308, math.inf, math.nan, "\ud800"])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def with_values(**values: Any) -> str:
    """Return a good line with other values."""
    return json.dumps(json.loads(LINES[0]) | values)


@st.composite
def with_odd_values(draw: st.DrawFn) -> str:
    """Return a line of JSON with up to three values replaced, removed or added."""
    content = json.loads(draw(st.sampled_from(LINES)))
    for _ in range(draw(st.integers(1, 3))):
        numbers = [key for key, value in content.items() if isinstance(value, int)]
        key = draw(st.sampled_from(numbers) | st.sampled_from([*content, "sead", "", "\ud800"]))
        if isinstance(content.get(key), int) and draw(st.integers(0, 3)):
            content[key] = draw(st.sampled_from([0, 1, MAX_SIZE]))
        elif draw(st.integers(0, 5)):
            content[key] = draw(VALUES)
        else:
            content.pop(key, None)
    return json.dumps(content)


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """Return a file of records, zipped or not, with a few bytes changed, cut or put in."""
    data = ("\n".join(LINES) + "\n").encode()
    if draw(st.booleans()):
        data = gzip.compress(data, mtime=0)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        data = data[:start] + draw(st.binary(max_size=4)) + data[start + draw(st.integers(0, 6)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def check_line(line: str) -> None:
    """What is read, reads back from its own text, and can be scored."""
    record = value_or_refusal(lambda: Record.from_json(line))
    if record is None:
        return
    assert Record.from_json(record.to_json()) == record
    (row,) = score_table([record, replace(record, program=record.program + "2")])
    json.dumps(row.to_json(), allow_nan=False)


def file_check(folder: Path) -> Callable[[bytes], None]:
    numbers = count()

    def check(data: bytes) -> None:
        number = next(numbers)
        for name in (f"{number}.jsonl", f"{number}.jsonl.gz"):
            path = folder / name
            path.write_bytes(data)
            for tolerate in (False, True):
                value_or_refusal(partial(_read, path, tolerate))
            path.unlink()

    return check


def resume_check(folder: Path) -> Callable[[bytes], None]:
    numbers = count()

    def check(data: bytes) -> None:
        """Resuming keeps every whole record, or leaves the file alone."""
        path = folder / f"{next(numbers)}.jsonl"
        path.write_bytes(data)
        writer = value_or_refusal(lambda: RecordWriter(path, resume=True))
        if writer is None:
            assert path.read_bytes() == data
        else:
            with writer:
                kept = path.read_bytes()
                assert (kept + b"\n").startswith(data[: data.rfind(b"\n") + 1])
                writer.write(replace(GOOD, seed=2**62))
            assert len(list(read_records(path))) == len(writer.keys)
        path.unlink()

    return check


def properties(folder: Path) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]:
    return {
        "line": (anything(LINES), check_line),
        "values": (with_odd_values(), check_line),
        "file": (damaged_bytes() | damaged(LINES).map(_bytes), file_check(folder)),
        "resume": (damaged_bytes() | damaged(LINES).map(_bytes), resume_check(folder)),
    }


def _read(path: Path, tolerate_tail: bool) -> list[Record]:
    return list(read_records(path, tolerate_tail=tolerate_tail))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


NAMES = ("line", "values", "file", "resume")


@pytest.mark.parametrize("name", NAMES)
def test_any_text_gives_records_or_an_error_of_ours(name: str, tmp_path: Path) -> None:
    try_many(FAST, *properties(tmp_path)[name])


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_many_texts(name: str, tmp_path: Path) -> None:
    try_many(MANY, *properties(tmp_path)[name])


@pytest.mark.parametrize(
    "line",
    [
        "x" * 10_000_000, '"' + "x" * 10_000_000, "[" * 5_000_000, "9" * 5_000_000,
        json.dumps({"x" * 5_000_000: 1}), json.dumps(["x"] * 500_000),
        with_values(status="x" * 5_000_000), with_values(error="x" * 5_000_000),
        with_values(seed=-(10**4000)), with_values(seed=json.loads("[" * 400 + "]" * 400)),
        with_values(additional_compilations=10**4000), with_values(usage={"x" * 5_000_000: -1}),
    ],
    ids=lambda line: f"{line[:12]}-{len(line)}",
)  # fmt: skip
def test_huge_lines_give_short_messages(line: str, tmp_path: Path) -> None:
    assert value_or_refusal(lambda: Record.from_json(line)) is None
    path = tmp_path / "x.jsonl"
    path.write_text(line, "utf-8")
    assert value_or_refusal(lambda: list(read_records(path))) is None


def test_two_runs_with_a_long_name_give_a_short_message(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text((replace(GOOD, agent="x" * 100_000).to_json() + "\n") * 2)
    with pytest.raises(BadRecord, match="same run as") as refused:
        list(read_records(path))
    assert len(str(refused.value)) < 1000


def test_a_gzip_bomb_is_left_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    squeeze = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        for _ in range(64):
            file.write(squeeze.compress(b"[" * (1 << 22)))
        file.write(squeeze.flush())
    assert path.stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert value_or_refusal(lambda: list(read_records(path))) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 160 << 10  # in KiB


def test_a_file_of_too_many_records_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl.gz"
    lines = [replace(GOOD, seed=seed).to_json() + "\n" for seed in range(10)]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    monkeypatch.setattr(record_module, "MAX_FILE_BYTES", len("".join(lines)))
    assert len(list(read_records(path))) == 10
    monkeypatch.setattr(record_module, "MAX_FILE_BYTES", len("".join(lines)) - 1)
    with pytest.raises(BadRecord, match=r"gz:9: expected at most .* bytes"):
        list(read_records(path))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_what_is_no_plain_file(tmp_path: Path, suffix: str) -> None:
    pipe, zeros = tmp_path / f"pipe{suffix}", tmp_path / f"zeros{suffix}"
    os.mkfifo(pipe)
    zeros.symlink_to("/dev/zero")
    (tmp_path / f"folder{suffix}").mkdir()
    for path in (pipe, zeros, tmp_path):
        with pytest.raises(BadRecord, match="not a plain file"):
            list(read_records(path))
    for name in ("a\0b", "\ud800", "x" * 5000):
        with pytest.raises(BadRecord, match="no such file"):
            read_records(tmp_path / f"{name}{suffix}")
    with pytest.raises(BadRecord, match="found none"):
        read_records(tmp_path / f"folder{suffix}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("resume", [False, True])
def test_writer_refuses_what_it_cannot_write(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name in ("folder.jsonl", "file/a.jsonl", "pipe.jsonl", "x" * 5000 + ".jsonl", "\0.jsonl"):
        with pytest.raises(BadRecord, match="cannot write records") as refused:
            RecordWriter(tmp_path / name, resume=resume)
        assert len(str(refused.value)) < 1000


def test_full_disk_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RecordWriter(path) as writer:
        writer.write(GOOD)
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large") as refused:
                writer.write(replace(GOOD, seed=1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert refused.value.filename == str(path)
        assert path.stat().st_size == size
        writer.write(replace(GOOD, seed=1))
    assert [record.seed for record in read_records(path)] == [GOOD.seed, 1]


def test_the_largest_values_are_scored_exactly() -> None:
    records = [
        replace(
            GOOD,
            program=f"p{n}",
            initial=MAX_SIZE,
            oz=MAX_SIZE,
            new=1,
            wall_seconds=MAX_AMOUNT,
            curve=((0, MAX_SIZE), (1, 1)),
        )
        for n in range(1000)
    ]
    (row,) = score_table(records)
    assert row.overall_improvement == MAX_SIZE - 1
    assert math.isfinite(row.seconds)
