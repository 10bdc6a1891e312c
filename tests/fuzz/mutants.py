"""Damaged programs: bitcode and IR text with flipped bits, cut ends and spliced parts.

    python tests/fuzz/mutants.py --count 10000 --seed 1

Each mutant is read and, if LLVM still takes it, compiled. The only outcomes allowed are success and
an error of this library; the script prints how often each came and exits with 1 on any other.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from llmopt_bench import Isolation, Program, Session, load_program, make_dataset
from llmopt_bench.errors import LlmoptError
from llmopt_bench.isolation import Host

# Tight, so that a mutant that makes LLVM run or grow without end is soon over.
LIMITS = Isolation(deadline=5, memory_mib=512)
# What tells a reader of bitcode that it is one; without it there is nothing to fuzz.
MAGIC = b"BC\xc0\xde"


def flip_bits(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def truncate(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    return data[: rng.randrange(len(data))]


def splice(data: bytearray, rng: random.Random, other: bytes) -> bytearray:
    """Put a part of another program over, or between, parts of this one."""
    # Bitcode is made of words of 32 bits: half of the cuts respect them.
    unit = rng.choice((1, 4))
    at = rng.randrange(len(data)) // unit * unit
    size = rng.randrange(1, 1 + min(len(other), 512))
    start = rng.randrange(len(other)) // unit * unit
    end = at + (size if rng.random() < 0.5 else 0)
    data[at:end] = other[start : start + size]
    return data


def remove(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 64)]
    return data


def change_number(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    """Replace a word by one at which counts and offsets go wrong."""
    at = rng.randrange(max(len(data) - 4, 1)) // 4 * 4
    value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, rng.getrandbits(32)))
    data[at : at + 4] = value.to_bytes(4, "little")
    return data


MUTATIONS: tuple[Callable[[bytearray, random.Random, bytes], bytearray], ...] = (
    flip_bits,
    truncate,
    splice,
    remove,
    change_number,
)


def sources(rng: random.Random, count: int = 40) -> list[tuple[bytes, bytes]]:
    """Return the bitcode and the IR text of some bundled programs and functions."""
    uris = rng.sample(list(make_dataset("bundled-functions-v1").uris()), count)
    uris += rng.sample(list(make_dataset("bundled-v1").uris()), 4)
    return [
        (program.bitcode, Session(program).ir().encode()) for program in map(load_program, uris)
    ]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged programs, bitcode and IR text by turns."""
    rng = random.Random(seed)
    originals = sources(rng)
    for number in range(count):
        kind = number % 2
        data = bytearray(rng.choice(originals)[kind])
        mutation = rng.choice(MUTATIONS)
        data = mutation(data, rng, rng.choice(originals)[kind])
        if kind == 0:
            data[:4] = MAGIC
        yield bytes(data)


def outcome(data: bytes, host: Host) -> str:
    """Return ``ok``, or the class and the shape of the error that a mutant ends with.

    Raises:
        Exception: Anything that is not an error of this library.
    """
    try:
        bitcode = data if data.startswith(MAGIC) else host.read(data, "mutant").bitcode()
        session = Session(Program("test:mutant", bitcode), isolation=host)
        session.features()
        session.apply("Oz")
        session.verify()
    except LlmoptError as error:
        lost = ("crashed", "overflowed", "gave up", "deadline", "memory limit", "exit code")
        how = next((word for word in lost if word in str(error)), "refused")
        return f"{type(error).__name__}: {how}"
    return "ok"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    host, seen, bad = Host(LIMITS), Counter[str](), 0
    for number, data in enumerate(mutants(options.count, options.seed)):
        try:
            seen[outcome(data, host)] += 1
        except Exception as error:
            bad += 1
            sys.stdout.write(f"mutant {number}: {type(error).__name__}: {error}\n")
    for what, count in seen.most_common():
        sys.stdout.write(f"{count:7,} {what}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
