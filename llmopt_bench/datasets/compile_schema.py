"""The columns of ComPile (2309.15432), from Parquet files and from a hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmopt_bench.datasets.foreign import Origin
from llmopt_bench.errors import BadProgram
from llmopt_bench.program import MAX_BYTES, Program

CONTENT = "content"
"""The column with the bitcode; the only one that has to be there."""
_COLUMNS = {
    "package": "package_source",
    "language": "language",
    "licence": "license_expression",
    "licence_source": "license_source",
}
ORIGIN_COLUMNS = tuple(_COLUMNS.values())


def origin_of(row: Mapping[str, Any]) -> Origin:
    """Return what a row says about its program; columns may be missing, or hold anything."""
    values = {name: row.get(column) for name, column in _COLUMNS.items()}
    return Origin(**{name: v for name, v in values.items() if isinstance(v, str)})


def program_of(uri: str, content: object) -> Program:
    """Return the program in a row.

    Args:
        uri: Of the row.
        content: What is in its column ``content``.

    Raises:
        BadProgram: It is no bitcode, or too much.
    """
    if not isinstance(content, bytes):
        kind = "null" if content is None else type(content).__name__
        raise BadProgram(
            f"expected bitcode in column {CONTENT!r} of {uri}, got {kind}. Skip this row."
        )
    if len(content) > MAX_BYTES:
        raise BadProgram(
            f"expected at most {MAX_BYTES:,} bytes of bitcode in {uri}, got {len(content):,}. "
            "Split the module with llvm-split."
        )
    return Program(uri, content)
