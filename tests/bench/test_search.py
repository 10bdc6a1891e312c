"""What sharing work saves a search: the autotuner's own lists, against each one from scratch."""

from __future__ import annotations

import time

import pytest

from llmopt_bench import Meter, PassList, PassOrderEnv, Session, load_agent, load_program

FUNCTIONS = (
    "bundled-functions-v1/robin_hood_map/rhRemove",
    "bundled-functions-v1/aes128_modes/from_hex",
    "bundled-functions-v1/crc_family/crc_compute",
    "bundled-functions-v1/linalg_lu_qr/lu_factor",
)
BUDGET = 1000
AIM = 3.0
"""Lists per second, as a multiple."""


class Asked(PassOrderEnv):
    """Remembers the lists that an agent asks for."""

    def evaluate(self, pass_lists, **options):
        self.lists = [*getattr(self, "lists", []), *pass_lists]
        return super().evaluate(pass_lists, **options)


def lists_of_the_autotuner(max_passes: int) -> dict[str, list[PassList]]:
    """Return what all phases ask for on each function, the broadcast included."""
    agent = load_agent("autotuner", max_passes=max_passes)
    envs = {uri: Asked(uri, meter=Meter(BUDGET)) for uri in FUNCTIONS}
    best = {}
    for uri, env in envs.items():
        env.reset(seed=1)
        best[uri] = agent.run(env)
    for uri, env in envs.items():
        agent.broadcast(env, best[uri], list(best.values()))
    return {uri: env.lists for uri, env in envs.items()}


def seconds(uri: str, lists: list[PassList], shared: bool) -> float:
    session = Session(load_program(uri))
    session.state._single = shared
    session.evaluate(lists[:1])
    start = time.perf_counter()
    session.evaluate(lists, failure=0)
    return time.perf_counter() - start


@pytest.mark.parametrize("max_passes", [10, 45])
def test_lists_per_second_of_the_autotuner(max_passes, capsys):
    totals = {True: 0.0, False: 0.0}
    asked = 0
    for uri, lists in lists_of_the_autotuner(max_passes).items():
        asked += len(lists)
        for shared in totals:
            totals[shared] += min(seconds(uri, lists, shared) for _ in range(2))
    ratio = totals[False] / totals[True]
    with capsys.disabled():
        print(
            f"\nlists of up to {max_passes} passes: {asked / totals[True]:,.0f} a second shared, "
            f"{asked / totals[False]:,.0f} from scratch: {ratio:.2f} times"
        )
    assert ratio >= AIM
