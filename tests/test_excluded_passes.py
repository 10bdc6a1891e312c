"""Passes that are out of passes-v1 because they are wrong: the smallest programs that show it.

When one of these tests fails, LLVM has mended the pass, and the next action set may have it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llmopt_bench import Session, load_program, make_action_set
from llmopt_bench.errors import MissingTool
from llmopt_bench.execution import execute, require_native

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _native() -> None:
    try:
        require_native()
    except MissingTool as error:
        pytest.skip(str(error))


def test_newgvn_keeps_the_first_value_of_a_load_in_a_loop() -> None:
    session = Session(load_program(str(DATA / "newgvn_loop.ll")))
    before = execute(session.bitcode(), "before")
    assert before.stdout == b"1\n42\n42\n"
    session.apply("gvn")
    assert execute(session.bitcode(), "gvn") == before
    session.reset()
    session.apply("function(newgvn)")
    assert execute(session.bitcode(), "newgvn").stdout == b"1\n1\n1\n"
    assert "newgvn" not in make_action_set()
