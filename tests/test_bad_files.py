"""Odd files and names, given as programs, tasks and agents: short errors, and nothing waits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from llmopt_bench import PassList, load_agent, load_program, make_task
from llmopt_bench.action_set import make_action_set
from llmopt_bench.errors import BadProgram, BadTask, LlmoptError
from llmopt_bench.program import MAX_BYTES, Program
from llmopt_bench.task import MAX_FILE_BYTES

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from bad_input import value_or_refusal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("budget = 0x" + "f" * 20_000, "budget: expected an integer of 0"),
        ("budget = " + "9" * 10_000, "Exceeds the limit"),
        (f"budget = {2**63}", "budget: expected an integer of 0 or more"),
        (
            "budget = 1\nrepetitions = 10001",
            "repetitions: expected an integer of 1 or more, 10,000",
        ),
        ("budget = " + "[" * 50_000, "recursion"),
        ("budget = [" + "1," * 100_000 + "]", "budget: expected an integer"),
        ("budget = 1\n" + "x" * 100_000 + " = 1", "unknown key"),
        ("budget = 1\ndescription = 3", "description: expected a string, got 3"),
    ],
    ids=lambda text: text[:24],
)
def test_odd_values_of_tasks(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "x.toml"
    head = 'name = "x"\nmetric = "text_size"\nprograms = ["a"]\n'
    path.write_text(head + change, "utf-8")
    with pytest.raises(BadTask, match=message) as refused:
        make_task(path)
    assert len(str(refused.value)) < 1000


def special_files(folder: Path, suffix: str, limit: int) -> dict[str, tuple[Path, str]]:
    """Return files that are none, and what an error says of each."""
    names = ("pipe", "zeros", "folder", "circle", "large")
    pipe, zeros, inner, circle, large = (folder / f"{name}{suffix}" for name in names)
    os.mkfifo(pipe)
    zeros.symlink_to("/dev/zero")
    inner.mkdir()
    circle.symlink_to(circle)
    large.touch()
    os.truncate(large, limit + 1)
    return {
        "pipe": (pipe, "not a plain file"),
        "zeros": (zeros, "not a plain file"),
        "folder": (inner, "folder|not a plain file"),
        "circle": (circle, "symbolic links"),
        "large": (large, f"more than {limit:,} bytes"),
        "null": (folder / f"a\0b{suffix}", "no file can have such a name"),
        "surrogate": (folder / f"\ud800{suffix}", "no file can have such a name"),
        "long": (folder / ("x" * 5000 + suffix), "File name too long"),
    }


SPECIAL = ("pipe", "zeros", "folder", "circle", "large", "null", "surrogate", "long")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_as_programs(tmp_path: Path, kind: str) -> None:
    for suffix in (".bc", ".ll", ".c"):
        (tmp_path / suffix[1:]).mkdir()
        path, message = special_files(tmp_path / suffix[1:], suffix, MAX_BYTES)[kind]
        with pytest.raises(BadProgram, match=message) as refused:
            load_program(path)
        assert len(str(refused.value)) < 1000
        assert value_or_refusal(lambda path=path: load_program(str(path))) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_as_tasks(tmp_path: Path, kind: str) -> None:
    path, message = special_files(tmp_path, ".toml", MAX_FILE_BYTES)[kind]
    with pytest.raises(BadTask, match=message) as refused:
        make_task(path)
    assert len(str(refused.value)) < 1000


def test_names_of_files_need_not_be_utf_8(tmp_path: Path) -> None:
    bitcode = load_program("bundled-functions-v1/crc_family/adler32").bitcode
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd %\xff\n.bc"))
    path.write_bytes(bitcode)
    program = load_program(path)
    assert program.bitcode == bitcode
    assert program.uri.isascii()
    assert load_program(program.uri) == load_program(str(path)) == program


def test_ir_text_in_a_file_with_an_odd_name(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.ll"))
    path.write_text("define void @f() {\n  ret void\n}\n")
    assert load_program(path).bitcode
    path.write_text("define")
    with pytest.raises(BadProgram, match="%FF"):
        load_program(path)


@pytest.mark.parametrize("value", [None, 3, b"x", ["bundled-v1/lzss"], 1.5])
def test_what_is_no_uri(value: Any) -> None:
    with pytest.raises(LlmoptError, match="expected the URI or path"):
        load_program(value)


@pytest.mark.parametrize("length", [300, 5000, 1_000_000])
def test_long_names_give_short_messages(length: int) -> None:
    long = "x" * length
    for read in (
        lambda: load_program(long),
        lambda: load_program(f"bundled-v1/{long}"),
        lambda: load_program(f"csmith-v0/{long}"),
        lambda: load_program(f"{long}/a"),
        lambda: load_program(f"file://{long}"),
        lambda: load_program(f"file:///{long}.bc"),
        lambda: make_task(long),
        lambda: make_task(f"{long}.toml"),
        lambda: make_action_set(long),
        lambda: load_agent(long),
        lambda: load_agent(f"{long}:x"),
        lambda: load_agent(f"os:{long}"),
        lambda: load_agent("random", **{long: 1}),
        lambda: load_agent("random", max_passes=long),
        lambda: PassList([long]),
        lambda: Program(long, b"junk"),
    ):
        assert value_or_refusal(read) is None
