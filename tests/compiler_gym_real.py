"""The one place that says whether the tests of the real CompilerGym can run here."""

from __future__ import annotations

import pytest

from llmopt_bench.compiler_gym_place import compiler_gym_place
from llmopt_bench.errors import NoCompilerGym


@pytest.fixture(scope="session")
def real() -> None:
    """Skip the test where CompilerGym is not set up; one that is set up must work."""
    try:
        compiler_gym_place()
    except NoCompilerGym as error:
        pytest.skip(str(error))
