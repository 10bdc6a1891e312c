"""What CompilerGym's own tests hold of forks, for each compiler here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from compiler_gym_backends import BACKENDS, LARGER, Backend, Episode

# Of passes that keep analyses, and of passes whose result depends on the order of use lists: where
# forks of CompilerGym went astray (its issue 749).
TRAJECTORIES = (
    ("-mem2reg", "-gvn", "-licm", "-simplifycfg"),
    ("-sroa", "-loop-rotate", "-licm", "-gvn-hoist", "-sink"),
    ("-inline", "-mem2reg", "-reassociate", "-jump-threading", "-loop-unroll"),
    ("-mergefunc", "-reg2mem", "-sccp", "-slp-vectorizer", "-dse"),
)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]()


@pytest.fixture
def exact(backend: Backend) -> Backend:
    if not backend.exact_forks:
        pytest.skip("its forks are not exact: test_a_fork_of_a_fork shows one")
    return backend


@pytest.fixture
def episode(backend: Backend) -> Iterator[Episode]:
    opened = backend.open(LARGER)
    opened.apply("-mem2reg")
    yield opened
    opened.close()


def test_a_fork_is_where_the_episode_is_and_goes_its_own_way(episode: Episode) -> None:  # 17
    fork = episode.fork()
    assert fork.flags() == episode.flags() == ["-mem2reg"]
    assert fork.observe("Ir") == episode.observe("Ir")
    before = episode.observe("IrSha1")
    fork.apply("-simplifycfg")
    assert fork.observe("IrInstructionCount") < episode.observe("IrInstructionCount")
    fork.reset()
    assert fork.flags() == []
    assert fork.observe("IrInstructionCount") == fork.observe("IrInstructionCountO0")
    assert (episode.observe("IrSha1"), episode.flags()) == (before, ["-mem2reg"])
    fork.close()


def test_a_fork_of_a_fork(episode: Episode, backend: Backend) -> None:  # 18
    child = episode.fork()
    child.apply("-simplifycfg")
    grandchild = child.fork()
    count = child.observe("IrInstructionCount")
    assert grandchild.observe("IrInstructionCount") == count < episode.observe("IrInstructionCount")
    # This is where those of CompilerGym go astray: its issue 749.
    assert (grandchild.observe("Ir") == child.observe("Ir")) is backend.exact_forks
    grandchild.apply("-gvn")
    assert grandchild.flags() == ["-mem2reg", "-simplifycfg", "-gvn"]
    assert child.flags() == ["-mem2reg", "-simplifycfg"]
    for opened in (grandchild, child):
        opened.close()


def test_a_fork_earns_what_the_episode_earns(episode: Episode, backend: Backend) -> None:  # 19
    names = sorted(backend.rewards)
    # Of half of them the costs are known to the episode before it is forked, of the others not.
    asked = [name for name in names if name.startswith("Ir")]
    known = [episode.reward(name) for name in asked]
    fork = episode.fork()
    assert [fork.reward(name) for name in asked] == known
    assert [fork.reward(name) for name in names] == [episode.reward(name) for name in names]
    for opened in (episode, fork):
        opened.apply("-simplifycfg", "-instcombine")
    earned = [fork.reward(name) for name in reversed(names)]
    assert earned == [episode.reward(name) for name in reversed(names)]
    assert all(earned)
    assert fork.observe("Ir") == episode.observe("Ir")
    fork.close()


@pytest.mark.parametrize("flags", TRAJECTORIES)
def test_forks_agree_at_every_point_of_a_trajectory(  # 20
    exact: Backend, flags: tuple[str, ...]
) -> None:
    episode = exact.open(LARGER)
    forks = []
    for flag in flags:
        forks.append(episode.fork())
        for opened in (episode, *forks):
            opened.apply(flag)
    expected = episode.observe("Ir")
    assert [fork.observe("Ir") for fork in forks] == [expected] * len(flags)
    for opened in (episode, *forks):
        opened.close()


@pytest.mark.parametrize("seed", range(3))
def test_random_forks_agree(exact: Backend, seed: int) -> None:  # 30
    rng = np.random.default_rng(seed)
    before, after = ([str(flag) for flag in rng.choice(exact.flags, 6)] for _ in range(2))
    episode = exact.open(LARGER)
    episode.apply(*before)
    fork = episode.fork()
    for flag in after:
        episode.apply(flag)
        fork.apply(flag)
        assert fork.observe("IrSha1") == episode.observe("IrSha1"), (before, after)
    episode.close()
    fork.close()


@pytest.mark.parametrize("first", [0, 1])
def test_closing_one_does_not_close_the_other(episode: Episode, first: int) -> None:  # 21
    fork = episode.fork()
    family = [episode, fork]
    closed = family.pop(first)
    closed.close()
    del closed
    left = family.pop()
    count = left.observe("IrInstructionCount")
    left.apply("-simplifycfg")
    assert left.observe("IrInstructionCount") < count
    fork.close()
