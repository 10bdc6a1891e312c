"""What a language model is to the agents."""

from __future__ import annotations

from typing import Any

import pytest
from llm_models import module


@pytest.mark.parametrize(
    "values",
    [
        {"max_tokens": 0},
        {"max_tokens": 8, "samples": 0},
        {"max_tokens": 8, "temperature": -0.1},
        {"max_tokens": 8, "temperature": float("nan")},
        {"max_tokens": 8, "top_p": 0.0},
        {"max_tokens": 8, "top_p": 1.1},
    ],
)
def test_sampling_that_means_nothing_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        module("model").Sampling(**values)


def test_usage_is_numbers_by_name() -> None:
    usage = module("model").Usage(calls=2, cost_usd=0.5)
    usage.tokens_in += 7
    assert usage.as_dict() == {
        "calls": 2,
        "tokens_in": 7,
        "tokens_out": 0,
        "retries": 0,
        "cost_usd": 0.5,
    }
