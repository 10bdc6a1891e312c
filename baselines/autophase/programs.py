"""The programs that a training learns from, and those that it is validated on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from llmopt_bench import BadTraining, LlmoptError, Program, make_dataset

_ALONE = 50
"""To load a program by itself costs so many times what it costs on the way through a dataset."""
_TRIES = 20
"""How many programs of a generator to look at for each that is wanted."""


def draw(name: str, count: int, seed: int, max_bytes: int) -> list[Program]:
    """Return some programs of a dataset, the same for the same arguments.

    Args:
        name: The dataset.
        count: How many, at most.
        seed: Which.
        max_bytes: Programs with larger bitcode are left out.

    Raises:
        UnknownName: There is no such dataset.
        MissingTool, NotBuilt: It is not ready on this machine.
        BadTraining: It has no program of this size.
    """
    dataset = make_dataset(name)
    dataset.require()
    rng = np.random.default_rng(seed)
    if dataset.size is None:
        found = _generate(name, count, rng, max_bytes)
    else:
        wanted = set(rng.permutation(dataset.size)[:count].tolist())
        chosen = _load(name, wanted, dataset.size)
        found = [program for program in chosen if len(program.bitcode) <= max_bytes]
    if not found:
        raise BadTraining(
            f"expected programs in {name} with at most {max_bytes} bytes of bitcode, got none. "
            "Raise max_bytes, or name another dataset."
        )
    return found


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a training learns from."""

    programs: int
    """The most programs that episodes draw from, repeated ones included."""
    generated: int
    """The most different programs of a generator: it takes seconds to make one."""
    generated_share: float
    """The part of ``programs`` that generators have, if there are other datasets."""
    max_bytes: int
    """Programs with larger bitcode are left out."""

    def draw(self, names: Sequence[str], seed: int) -> list[Program]:
        """Return programs of several datasets, the same for the same arguments.

        Datasets with an end share by their sizes, generators equally. The programs of a generator
        are repeated until they make up its part.

        Raises:
            As the function ``draw``.
        """
        sizes = {name: make_dataset(name).size for name in names}
        generators = [name for name, size in sizes.items() if size is None]
        total = sum(size for size in sizes.values() if size is not None)
        share = self.generated_share if total else 1.0
        programs: list[Program] = []
        for name, size in sizes.items():
            if size is None:
                count = round(self.programs * share / len(generators))
                if count:
                    some = draw(name, min(count, self.generated), seed, self.max_bytes)
                    programs += islice(cycle(some), count)
            else:
                rest = 1 - share if generators else 1.0
                count = max(1, round(self.programs * rest * size / total))
                programs += draw(name, count, seed, self.max_bytes)
        return programs


def hash_of(programs: Iterable[Program]) -> str:
    """Return a hash of the contents of programs, whatever their order."""
    joined = "\n".join(sorted(program.sha256 for program in programs))
    return hashlib.sha256(joined.encode()).hexdigest()


def _load(name: str, wanted: set[int], size: int) -> Iterator[Program]:
    """Yield the programs with these numbers, in their order."""
    dataset = make_dataset(name)
    if _ALONE * len(wanted) < size:
        uris = (uri for number, uri in enumerate(dataset.uris()) if number in wanted)
        return map(dataset.load, uris)
    return (program for number, program in enumerate(dataset) if number in wanted)


def _generate(name: str, count: int, rng: np.random.Generator, max_bytes: int) -> list[Program]:
    dataset = make_dataset(name)
    found: list[Program] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        try:
            program = dataset.random(rng)
        except LlmoptError:  # a seed of which no program comes
            continue
        if len(program.bitcode) <= max_bytes:
            found.append(program)
    return found
