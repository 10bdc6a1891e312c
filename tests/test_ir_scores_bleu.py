"""BLEU of IR: by hand, and as sacrebleu has it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt_bench.ir_bleu import bleu, ir_tokens

TEXTS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=14).map(" ".join)


def test_tokens() -> None:
    assert ir_tokens("%3 = add i32 %1, -1") == ["%3", "=", "add", "i32", "%1", ",", "-1"]
    assert ir_tokens('@s = c"a b\\00"\n8:\n') == ["@s", "=", 'c"a b\\00"', "8", ":"]
    assert ir_tokens("float 0.5e+00, ...") == ["float", "0.5e+00", ",", "..."]
    assert ir_tokens('call @"a b"(ptr !3)') == ["call", '@"a b"', "(", "ptr", "!3", ")"]


def test_by_hand() -> None:
    # 3 of 4 tokens, 2 of 3 pairs, 1 of 2 triples, no run of four: half a hit.
    assert bleu("a b c d", "a b c e") == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)
    # All of it, but 3 tokens for 4.
    assert bleu("a b c", "a b c d") == pytest.approx(math.exp(1 - 4 / 3))
    # "a" is there once: the second one hits nothing.
    assert bleu("a a", "a b") == pytest.approx(math.sqrt(1 / 2 * 1 / 2))


@pytest.mark.parametrize(
    ("found", "expected", "value"),
    [("", "", 1.0), ("", "a", 0.0), ("a", "", 0.0), ("a", "b", 0.0), ("a", "a", 1.0)],
)
def test_short_texts(found: str, expected: str, value: float) -> None:
    assert bleu(found, expected) == value


def test_white_space_only_separates() -> None:
    assert bleu("ret\n\n   i32  0", "ret i32 0\n") == 1.0


@settings(deadline=None)  # the first call imports
@given(TEXTS, TEXTS)
def test_as_sacrebleu_has_it(found: str, expected: str) -> None:
    metrics = pytest.importorskip("sacrebleu.metrics")
    oracle = metrics.BLEU(tokenize="none", effective_order=True, smooth_method="exp")
    theirs = oracle.sentence_score(found, [expected]).score / 100
    assert bleu(found, expected) == pytest.approx(theirs)
