"""Files of lines, as the tests of readers need them."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

pa = pytest.importorskip("pyarrow")

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".tar.gz")


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(suffix: str, lines: bytes) -> bytes:
    """Return lines as a file with this ending holds them; archives have two files, and others."""
    if suffix == ".jsonl":
        return lines
    if suffix == ".jsonl.gz":
        return gzip.compress(lines)
    if suffix == ".jsonl.zst":
        return zstd(lines)
    parts = lines.splitlines(keepends=True)
    half = len(parts) // 2
    return archive(
        {
            "s/README": b"not rows\n",
            "s/a.jsonl.zst": zstd(b"".join(parts[:half])),
            "s/b.jsonl.zst": zstd(b"".join(parts[half:])),
        }
    )
