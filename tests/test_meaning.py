"""A pass list changes the size of a program, never what it does: bundled programs, run natively."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from llmopt_bench import PassList, PassOrderEnv, Session, agent_names, load_agent, make_action_set
from llmopt_bench.budget import Meter
from llmopt_bench.datasets import expected_of, load_program, make_dataset
from llmopt_bench.datasets.bundled import BundledPrograms
from llmopt_bench.errors import MissingTool
from llmopt_bench.execution import execute, require_native
from llmopt_bench.verify import settle

try:
    require_native()
except MissingTool as missing:
    pytest.skip(str(missing), allow_module_level=True)

PROGRAMS = BundledPrograms().names
ACTIONS = make_action_set()
SEED = 20220
PIPELINES = ("O0", "O1", "O2", "O3", "Os", "Oz")
SEARCHES = ("greedy", "random", "tuner")
BUDGET = 8
"""Of a search: enough to leave -Oz behind on some programs."""


def spread(count: int) -> Sequence[str]:
    """Return the names of ``count`` programs, evenly from the whole list."""
    return [PROGRAMS[i * len(PROGRAMS) // count] for i in range(count)]


def random_lists(count: int) -> Iterator[tuple[str, PassList]]:
    """Yield programs in turn, each with a list of 8 to 16 actions, the same on every machine."""
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        drawn = rng.integers(len(ACTIONS), size=rng.integers(8, 17))
        yield (
            spread(min(count, len(PROGRAMS)))[number % len(PROGRAMS)],
            PassList([ACTIONS.names[i] for i in drawn]),
        )


def change_of(name: str, session: Session) -> str | None:
    """Return what the program in a session does otherwise than the manifest says."""
    expected = expected_of(session.program)
    assert expected is not None
    return expected.difference(execute(session.bitcode(), name))


def broken_by(lists: Iterator[tuple[str, PassList]]) -> list[str]:
    """Return a line for each list that changes what its program does."""
    found = []
    for name, passes in lists:
        session = Session(f"bundled-v1/{name}")
        session.apply(passes)
        session.verify()
        if change := change_of(name, session):
            found.append(f"{name}: {change}, after {passes}")
    return found


def broken_by_agent(agent: str, names: Sequence[str]) -> list[str]:
    """Return a line for each program that means something else after the agent's answer."""
    found = []
    for name in names:
        program = load_program(f"bundled-v1/{name}")
        env = PassOrderEnv(program, meter=Meter(BUDGET))
        env.reset(seed=SEED)
        answer, session = settle(program, load_agent(agent).run(env))
        if change := change_of(name, session):
            found.append(f"{name}: {change}, after {answer}")
    return found


def test_the_check_sees_a_change() -> None:
    other = Session(f"bundled-v1/{PROGRAMS[1]}")
    assert change_of(PROGRAMS[0], other) is None
    swapped = Session(make_dataset("bundled-v1").load(f"bundled-v1/{PROGRAMS[0]}"))
    swapped.state = other.state
    assert "expected output of SHA-256" in str(change_of(PROGRAMS[0], swapped))


def test_every_agent_is_checked() -> None:
    assert set(agent_names()) >= {*PIPELINES, *SEARCHES}


@pytest.mark.parametrize("agent", PIPELINES)
def test_pipelines(agent: str) -> None:
    assert broken_by_agent(agent, spread(5)) == []


@pytest.mark.parametrize("agent", SEARCHES)
def test_searches(agent: str) -> None:
    assert broken_by_agent(agent, spread(3)) == []


def test_random_lists() -> None:
    assert broken_by(random_lists(30)) == []


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_many_random_lists() -> None:
    assert broken_by(random_lists(300)) == []


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("agent", [*PIPELINES, *SEARCHES])
def test_agents_on_all_programs(agent: str) -> None:
    assert broken_by_agent(agent, PROGRAMS) == []
