"""The examples in docstrings run."""

import doctest
import importlib

import pytest

MODULES = ("budget", "compiler_gym_env", "env", "pass_list_env", "passes")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"llmopt_bench.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
