"""Programs as values."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import FrozenInstanceError

import pytest

from llmopt_bench.errors import BadProgram
from llmopt_bench.program import Program

BITCODE = b"BC\xc0\xde" + bytes(60)
WRAPPED = b"\xde\xc0\x17\x0b" + bytes(60)


@pytest.mark.parametrize("data", [BITCODE, WRAPPED, bytearray(BITCODE), memoryview(WRAPPED)])
def test_takes_bitcode_with_and_without_wrapper(data: bytes) -> None:
    program = Program.from_bitcode("a-v1/x", data)
    assert program.bitcode == bytes(data)
    assert type(program.bitcode) is bytes
    assert program.sha256 == hashlib.sha256(bytes(data)).hexdigest()


@pytest.mark.parametrize("data", [b"", b"BC", b"; ModuleID = 'x'", b"\x7fELF", b"\x0b\x17\xc0\xde"])
def test_refuses_other_data(data: bytes) -> None:
    with pytest.raises(BadProgram, match="a-v1/x: expected LLVM bitcode"):
        Program.from_bitcode("a-v1/x", data)


def test_equal_by_uri_and_content() -> None:
    program = Program.from_bitcode("a-v1/x", BITCODE)
    assert program == Program.from_bitcode("a-v1/x", BITCODE, source="int x;")
    assert program != Program.from_bitcode("a-v1/y", BITCODE)
    assert program != Program.from_bitcode("a-v1/x", WRAPPED)
    assert program != "a-v1/x"
    assert len({program, Program.from_bitcode("a-v1/x", BITCODE)}) == 1


def test_is_immutable_and_pickles() -> None:
    program = Program.from_bitcode("a-v1/x", BITCODE, source="int x;")
    with pytest.raises(FrozenInstanceError):
        program.uri = "other"  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(program))
    assert copy == program
    assert copy.source == "int x;"


def test_repr_does_not_hold_the_bitcode() -> None:
    program = Program.from_bitcode("a-v1/x", BITCODE + bytes(5_000))
    assert repr(program) == f"<Program a-v1/x {program.sha256[:12]} 5,064 bytes>"
