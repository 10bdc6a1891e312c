"""Broken variants of good texts, and the promise that all readers of text keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmopt_bench.errors import LlmoptError

T = TypeVar("T")

LONGEST_MESSAGE = 1000
PIECES = (
    *"()<>[]{},;:=/\\'\"#%\n\t \0\x1b\u2028\ud800é\uff19",
    *("..", "//", "%00", "%ff", "file://", "0x" + "f" * 40, "9" * 30, "1e999", "-1", "1.5"),
    *("NaN", "-Infinity", "null", "true", '""', "[]", "{}", "[[", "]]", "='", "\r\n"),
    *("function(", "loop(", "repeat<1000000000>(instcombine)", "devirt<4>(", "default<Oz>"),
    *("loop-unroll<O999999999999>", "sroa<", "-O2", "-mem2reg", "opt -passes=", "invalidate<all>"),
)  # fmt: skip


def value_or_refusal(read: Callable[[], T]) -> T | None:
    """Return what ``read`` returns, or None if it refuses with an error of ours that is short."""
    try:
        return read()
    except LlmoptError as error:
        message = str(error)
    assert 10 <= len(message) < LONGEST_MESSAGE, message[:2000]
    return None


@st.composite
def damaged(draw: st.DrawFn, texts: Sequence[str]) -> str:
    """Return one of ``texts`` with up to four pieces cut out, doubled, or put in."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(("cut", "double", "piece", "character")))
        if kind == "double":
            text = text[:end] + text[start:]
        elif kind == "cut":
            text = text[:start] + text[end:]
        else:
            new = draw(st.sampled_from(PIECES) if kind == "piece" else st.characters())
            text = text[:start] + new + text[start if kind == "piece" else end :]
    return text


def anything(texts: Sequence[str]) -> st.SearchStrategy[str]:
    """Return broken variants of ``texts``, and now and then any text at all."""
    any_text = st.text(st.characters(exclude_categories=()), max_size=60)
    return damaged(texts) | damaged(texts) | damaged(texts) | any_text


def try_many(examples: int, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Check ``examples`` values: always the same ones if they are few, new ones if many."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 1000,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(value: Any) -> None:
        check(value)

    run()
