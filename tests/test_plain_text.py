"""Texts of strangers, made visible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt_bench.plain_text import visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, Ünïcode 漢字 -> 1", "plain, Ünïcode 漢字 -> 1"),
        ("two\nlines\tand\N{NO-BREAK SPACE}more", "two lines and more"),
        ("evil\u202etxt.exe", "evil<U+202E>txt.exe"),
        ("zero\u200bwidth\ufeff", "zero<U+200B>width<U+FEFF>"),
        ("bell\x07\x1b[31m", "bell<U+0007><U+001B>[31m"),
        ("half \ud800", "half <U+D800>"),
        ("o\u0308\u0301", "o\u0308\u0301"),
        ("o" + "\u0301" * 50 + "!", "o" + "\u0301" * 3 + "!"),
    ],
)
def test_by_hand(text: str, expected: str) -> None:
    assert visible(text) == expected


@given(st.text())
def test_always_one_line_that_can_be_seen(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
