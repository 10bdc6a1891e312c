"""BLEU of IR text: how much of it reads as another text does."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

MAX_ORDER = 4
"""The longest runs of tokens that are compared."""

_TOKEN = re.compile(r'[c%@!$]?"[^"\n]*"|[%@!#$]?[-+\w.$]+|\S')


def ir_tokens(ir: str) -> list[str]:
    """Return the tokens of IR text: names with their sigil, numbers, strings, single characters.

    White space only separates, line ends too: ``%3 = add i32 %1, -1`` has the seven tokens ``%3``,
    ``=``, ``add``, ``i32``, ``%1``, ``,`` and ``-1``.
    """
    return _TOKEN.findall(ir)


def bleu(found: str, expected: str) -> float:
    """Return the BLEU of one text against one reference, 0 to 1.

    Runs of one to ``MAX_ORDER`` tokens, fewer in a text that has no longer ones; an order without
    any hit counts as half a hit, the next such order as a quarter, and so on (the smoothing
    ``exp``). These are the definitions of sacrebleu's sentence BLEU, which gives 100 times this
    for the same tokens. arXiv 2309.07062 does not say which variant, and which tokens, its
    figures are of.

    Args:
        found: What a model wrote.
        expected: What it should have written.
    """
    ours, theirs = ir_tokens(found), ir_tokens(expected)
    hits = [_hits(ours, theirs, order) for order in range(1, min(MAX_ORDER, len(ours)) + 1)]
    if not any(hits):
        return float(ours == theirs)  # without tokens on both sides
    total = 0.0
    doubt = 1.0
    for order, count in enumerate(hits, start=1):
        if not count:
            doubt *= 2
        total += math.log((count or 1 / doubt) / (len(ours) - order + 1))
    brevity = min(0.0, 1 - len(theirs) / len(ours))
    return math.exp(brevity + total / len(hits))


def _hits(ours: Sequence[str], theirs: Sequence[str], order: int) -> int:
    """Return how many runs of one text are in the other, each as often as it is in both."""
    return (_runs(ours, order) & _runs(theirs, order)).total()


def _runs(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
