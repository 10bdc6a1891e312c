"""Every action of passes-v1, alone and in random lists, on real programs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from llmopt_bench import PassList, Session, make_action_set, make_dataset
from llmopt_bench.verify import replay

ACTIONS = make_action_set()
PROGRAMS = ("bundled-v1/crc_family", "bundled-v1/robin_hood_map", "bundled-v1/expr_compiler")
LENGTH = 12

HASHES = """
import json, sys
from llmopt_bench import PassList, Session
hashes = []
for uri, names in json.load(sys.stdin):
    session = Session(uri)
    session.apply(PassList(names))
    hashes.append(session.content_hash())
print(json.dumps(hashes))
"""


def random_lists(seed: int, count: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [
        [ACTIONS.names[i] for i in rng.integers(len(ACTIONS), size=LENGTH)] for _ in range(count)
    ]


@pytest.mark.parametrize("uri", PROGRAMS)
def test_every_action_alone_keeps_the_program(uri):
    program = Session(uri).program
    for start in ([], ["Oz"]):
        for name in ACTIONS.names:
            # Verifies the module and compares the external definitions.
            replay(program, PassList([*start, name]))


@pytest.mark.parametrize("uri", PROGRAMS)
def test_random_lists_keep_the_program(uri):
    program = Session(uri).program
    for names in random_lists(1, 12):
        replay(program, PassList(names))


def test_every_action_alone_gives_the_same_code_20_times():
    for name in ACTIONS.names:
        session = Session("bundled-functions-v1/expr_compiler/main")
        found = set()
        for _ in range(20):
            session.reset()
            session.apply(name)
            found.add(session.content_hash())
        assert len(found) == 1, name


def test_lists_give_the_same_code_20_times():
    for number, names in enumerate(random_lists(2, 12)):
        uri = PROGRAMS[number % len(PROGRAMS)]
        found = set()
        for _ in range(20):
            session = Session(uri)
            session.apply(PassList(names))
            found.add(session.content_hash())
        assert len(found) == 1, (uri, names)


def test_actions_and_lists_give_the_same_code_in_other_processes():
    """Addresses differ between processes, and with them every order that comes from a pointer."""
    work = [(PROGRAMS[1], [name]) for name in ACTIONS.names]
    work += [(PROGRAMS[i % len(PROGRAMS)], names) for i, names in enumerate(random_lists(3, 24))]
    outputs = [hashes_of(work, seed) for seed in ("0", "1", "2")]
    assert len(outputs[0]) == len(work)
    assert outputs[0] == outputs[1] == outputs[2]


def hashes_of(work: list[tuple[str, list[str]]], hash_seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    result = subprocess.run(
        [sys.executable, "-c", HASHES],
        input=json.dumps(work),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_random_lists_on_all_programs():
    programs = list(make_dataset("bundled-v1"))
    work = []
    for number, names in enumerate(random_lists(4, 4 * len(programs))):
        program = programs[number % len(programs)]
        replay(program, PassList(names))
        work.append((program.uri, names))
    assert hashes_of(work, "0") == hashes_of(work, "1")
