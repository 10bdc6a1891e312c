"""Files of tokens, mapped into memory: all that the training of a model reads.

``PART.bin`` holds the tokens of all examples, one after the other, as 16 or 32 bit numbers.
``PART.npy`` holds four numbers for each example: where its prompt begins, where its answer begins,
where the optimised IR in the answer begins, and where it ends. ``PART.before.npy`` says how many
instructions the function has, ``PART.costs.npy`` what each list of the portfolio leaves of it, and
``PART.worse.npy`` whether that is more than -Oz leaves. Both may be foretold (``foretell``). Of the
examples by their totals there are only tokens and places: the rest is that of ``train``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FORMAT = 4
"""Of the folder that the stage ``tokens`` writes."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Tokens:
    """The tokens of examples."""

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    spans: Ints
    """(examples, 4): begin, answer, optimised IR, end."""

    @classmethod
    def open(cls, folder: Path, part: str, dtype: str) -> Tokens:
        """Map a file into memory."""
        path = folder / f"{part}.bin"
        # An empty file cannot be mapped.
        tokens = np.memmap(path, dtype, mode="r") if path.stat().st_size else np.empty(0, dtype)
        return cls(tokens, np.load(folder / f"{part}.npy", allow_pickle=False))


@dataclass(frozen=True)
class TokenFile(Tokens):
    """The tokens of examples, and what lists do to the functions."""

    costs: Floats
    """(examples, lists of the portfolio): the share of the instructions that remains."""
    worse: Floats
    """(examples, lists): 1 where that is more than with -Oz, or how probable it is."""
    before: Ints
    """(examples): the instructions of the function, before any pass."""

    @classmethod
    def open(cls, folder: Path, part: str, dtype: str) -> TokenFile:
        """Map a file into memory."""
        text = Tokens.open(folder, part, dtype)
        known = (
            np.load(folder / f"{part}.{name}.npy", allow_pickle=False)
            for name in ("costs", "worse", "before")
        )
        return cls(text.tokens, text.spans, *known)


@dataclass(frozen=True)
class TokenIds:
    """The tokens that stand for more than their text."""

    begin: int
    end: int
    padding: int
    code: int
    """``[code]``, which follows the counts in an answer."""
