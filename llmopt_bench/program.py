"""Programs: the immutable IR modules that agents work on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Self

from llmopt_bench.errors import BadProgram, shorten

MAX_BYTES = 1 << 26
"""The largest file that is read as a program; LLVM takes about 50 times as much memory."""
_MAGIC = b"BC\xc0\xde"
_WRAPPER_MAGIC = (0x0B17C0DE).to_bytes(4, "little")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Program:
    """One IR module, named by its URI and by the SHA-256 of its bitcode.

    Two programs are equal if both names are. Only the first bytes are looked at here; whether
    LLVM can read the rest shows when a session opens the program.

    Raises:
        BadProgram: The data does not start as bitcode does.
    """

    uri: str
    """Where it came from, for example ``bundled-v1/crc32`` or ``file:///tmp/x.bc``."""
    bitcode: bytes
    source: str | None = None
    """The C text it was compiled from, where that is known."""
    sha256: str = field(init=False)
    """Hexadecimal SHA-256 of ``bitcode``."""

    def __post_init__(self) -> None:
        """Check the magic bytes and compute the hash."""
        if not self.bitcode.startswith((_MAGIC, _WRAPPER_MAGIC)):
            raise BadProgram(
                f"{shorten(self.uri, 200)}: expected LLVM bitcode, which starts with {_MAGIC!r}, "
                f"got {self.bitcode[:4]!r}. Compile it with clang -c -emit-llvm."
            )
        object.__setattr__(self, "sha256", hashlib.sha256(self.bitcode).hexdigest())

    @classmethod
    def from_bitcode(
        cls, uri: str, data: bytes | bytearray | memoryview, source: str | None = None
    ) -> Self:
        """Return the program that ``data`` holds; the data is copied if it could change.

        Raises:
            BadProgram: The data does not start as bitcode does.
        """
        return cls(uri, bytes(data), source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Program):
            return NotImplemented
        return self.sha256 == other.sha256 and self.uri == other.uri

    def __hash__(self) -> int:
        return hash((self.uri, self.sha256))

    def __repr__(self) -> str:
        return f"<Program {self.uri} {self.sha256[:12]} {len(self.bitcode):,} bytes>"
