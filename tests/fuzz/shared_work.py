"""Pass lists of single functions, with shared work and from scratch: do the results differ?

    python tests/fuzz/shared_work.py --dataset corpus-train-v1 --seconds 900

Lists are as a search asks for them: random ones, and mutants of earlier ones. Prints each list
that differs, and at the end how many were compared and how many differed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from llmopt_bench import _core, load_program
from llmopt_bench.action_set import make_action_set
from llmopt_bench.datasets import make_dataset

ACTIONS = make_action_set()
LISTS = 60
"""Lists of one function."""
LARGEST = 300
"""Instructions of the largest function."""


class Difference(NamedTuple):
    """A list whose results differ."""

    program: str
    names: list[str]
    scratch: int
    shared: int


def mutant(names: list[str], rng: random.Random) -> list[str]:
    """Return a list with one to three edits."""
    names = list(names)
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if kind < 0.4:
            names.insert(rng.randint(0, len(names)), rng.choice(ACTIONS.names))
        elif kind < 0.7 and len(names) > 1:
            del names[rng.randrange(len(names))]
        else:
            names[rng.randrange(len(names))] = rng.choice(ACTIONS.names)
    return names


def lists(rng: random.Random) -> Iterator[list[str]]:
    """Yield random lists and mutants of earlier ones."""
    earlier: list[list[str]] = []
    for _ in range(LISTS):
        if earlier and rng.random() < 0.6:
            names = mutant(rng.choice(earlier), rng)
        else:
            names = [rng.choice(ACTIONS.names) for _ in range(rng.randint(1, 10))]
            if rng.random() < 0.4:
                names.insert(rng.randint(0, len(names)), "Oz")
        earlier.append(names)
        yield names


def differences(uri: str, rng: random.Random) -> Iterator[Difference | None]:
    """Yield for each list of a function the difference, or None."""
    module = _core.Module.read(load_program(uri).bitcode, uri)
    if module.instruction_count() > LARGEST:
        return
    for names in lists(rng):
        pipelines = [ACTIONS.pipeline_of(name) for name in names]
        scratch = module.evaluate(",".join(pipelines))
        shared = module.evaluate_list(pipelines)
        yield None if scratch == shared else Difference(uri, names, scratch, shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="bundled-functions-v1")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    uris = [str(uri) for uri in make_dataset(options.dataset).uris()]
    end = time.monotonic() + options.seconds
    compared = differing = 0
    while time.monotonic() < end:
        for found in differences(rng.choice(uris), rng):
            compared += 1
            if found is not None:
                differing += 1
                sys.stdout.write(f"{found}\n")
    sys.stdout.write(f"{compared:,} lists compared, {differing:,} differ\n")


if __name__ == "__main__":
    main()
