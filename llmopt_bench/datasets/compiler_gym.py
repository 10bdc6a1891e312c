"""Programs of CompilerGym's datasets, as CompilerGym downloads or generates them."""

from __future__ import annotations

from llmopt_bench.compiler_gym_pool import give_back, take_process
from llmopt_bench.program import Program

GENERATORS = "generator://"
_DATASETS = (
    "anghabench-v0",
    "anghabench-v1",
    "blas-v0",
    "cbench-v0",
    "cbench-v1",
    "chstone-v0",
    "clgen-v0",
    "github-v0",
    "jotaibench-v0",
    "linux-v0",
    "mibench-v0",
    "mibench-v1",
    "npb-v0",
    "opencv-v0",
    "poj104-v0",
    "poj104-v1",
    "tensorflow-v0",
)
_SECONDS = 3600.0
"""A dataset may have gigabytes, and is downloaded when its first program is asked for."""


def is_compiler_gym_name(uri: str) -> bool:
    """Whether a URI names a program of CompilerGym; ``benchmark://`` may stand before it."""
    if uri.startswith(GENERATORS):
        return True
    dataset, slash, name = uri.removeprefix("benchmark://").partition("/")
    return dataset in _DATASETS and bool(slash and name)


def load_benchmark(uri: str) -> Program:
    """Return a program of CompilerGym's datasets: bitcode of LLVM 10.

    Args:
        uri: ``benchmark://cbench-v1/qsort``, ``generator://llvm-stress-v0/17`` and the like.

    Raises:
        NoCompilerGym: It is not set up.
        UnknownProgram: CompilerGym has no such dataset or program.
        Unavailable: It cannot be downloaded, or its generator does not work.
    """
    if not uri.startswith(GENERATORS):
        uri = "benchmark://" + uri.removeprefix("benchmark://")
    process = take_process()
    try:
        _, bitcode = process.call("load", _SECONDS, uri=uri)
    finally:
        give_back(process)
    return Program(uri, bitcode)
