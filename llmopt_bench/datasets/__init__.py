"""Where programs come from: datasets by name, files by path, and one function to load any."""

from __future__ import annotations

import difflib
import functools
import os
from pathlib import Path

from llmopt_bench.datasets.base import Dataset, FiniteDataset
from llmopt_bench.datasets.bundled import BundledFunctions, BundledPrograms
from llmopt_bench.datasets.compiler_gym import is_compiler_gym_name, load_benchmark
from llmopt_bench.datasets.corpus.datasets import CORPUS_DATASETS, CorpusDataset
from llmopt_bench.datasets.csmith import CsmithPrograms
from llmopt_bench.datasets.exebench import ExeBenchPrograms
from llmopt_bench.datasets.files import SUFFIXES, is_file_name, load_file
from llmopt_bench.datasets.folder import FolderPrograms
from llmopt_bench.datasets.hub_rows import HubPrograms
from llmopt_bench.datasets.llvm_stress import LlvmStressPrograms
from llmopt_bench.datasets.parquet_rows import ParquetPrograms
from llmopt_bench.errors import UnknownName, UnknownProgram, shorten, shown, unknown
from llmopt_bench.execution import Expected
from llmopt_bench.program import Program

__all__ = [
    "CorpusDataset",
    "Dataset",
    "ExeBenchPrograms",
    "FiniteDataset",
    "FolderPrograms",
    "HubPrograms",
    "ParquetPrograms",
    "dataset_names",
    "expected_of",
    "load_program",
    "make_dataset",
]

_DATASETS: dict[str, type[Dataset]] = {
    dataset.name: dataset
    for dataset in (
        BundledPrograms,
        BundledFunctions,
        *CORPUS_DATASETS,
        CsmithPrograms,
        LlvmStressPrograms,
    )
}
_OPTIONAL_SCHEME = "benchmark://"


def dataset_names() -> tuple[str, ...]:
    """Return the names of all datasets."""
    return tuple(_DATASETS)


@functools.cache
def make_dataset(name: str) -> Dataset:
    """Return a dataset by its name.

    Raises:
        UnknownName: No dataset has this name.
    """
    if name not in _DATASETS:
        raise UnknownName(unknown("dataset", shorten(name), _DATASETS))
    return _DATASETS[name]()


def load_program(uri: str | Path) -> Program:
    """Return the program that a URI or a path names.

    Args:
        uri: ``<dataset>/<program>``, for example ``bundled-v1/crc_family``,
            ``bundled-functions-v1/crc_family/adler32`` or ``csmith-v0/17``, with or without
            ``benchmark://`` before it; or a file that ends in .c, .cc, .cpp, .cxx, .ll or .bc, as
            ``file:///absolute/path`` or as a path; or a program of CompilerGym's datasets, as
            ``generator://llvm-stress-v0/17`` or ``benchmark://cbench-v1/qsort``.

    Raises:
        UnknownProgram: Nothing has this name.
        BadProgram: The file holds no program, or the source does not compile.
        MissingTool: The program has to be generated or compiled, and the tool is not installed;
            or it is one of CompilerGym's, which is not set up.
        Unavailable: CompilerGym cannot download it.
    """
    if isinstance(uri, Path):
        return load_file(uri)
    if not isinstance(uri, str):
        raise UnknownProgram(f"expected the URI or path of a program, got {shown(uri)}.")
    uri = uri.removeprefix(_OPTIONAL_SCHEME)
    dataset, _, name = uri.partition("/")
    if dataset in _DATASETS and name:
        return make_dataset(dataset).load(uri)
    # What is there but has no ending of ours gets the message about endings.
    there = os.path.exists(uri)  # noqa: PTH110  (the method of Path raises for some)
    if there or (is_file_name(uri) and "\0" not in uri):
        return load_file(uri)
    if is_compiler_gym_name(uri):
        return load_benchmark(uri)
    raise _unresolved(uri)


def expected_of(program: Program) -> Expected | None:
    """Return what a program must do when it runs; None if that is not known.

    It is known for ``bundled-v1`` and found out for ``csmith-v0``. Functions alone cannot be run,
    and files of the user are not: nobody said that they may, or what they should print.

    Raises:
        MissingTool: It has to be run to know, and programs cannot be run on this machine.
    """
    dataset = program.uri.partition("/")[0]
    return make_dataset(dataset).expected(program.uri) if dataset in _DATASETS else None


def _unresolved(uri: str) -> UnknownProgram:
    dataset, slash, _ = uri.partition("/")
    if dataset in _DATASETS:
        return UnknownProgram(f"expected {dataset}/<program>, got {shown(uri)}.")
    advice = f"Datasets: {', '.join(_DATASETS)}. Files end in {', '.join(SUFFIXES)}."
    if slash:
        return UnknownProgram(unknown("dataset", shorten(dataset), _DATASETS, advice))
    # Most often the dataset was forgotten.
    known = {name: f"{BundledPrograms.name}/{name}" for name in BundledPrograms().names}
    near = difflib.get_close_matches(shorten(uri), known, n=1)
    hint = f"Did you mean {known[near[0]]!r}? " if near else ""
    return UnknownProgram(
        f"expected <dataset>/<program> or a file, got {shown(uri)}. {hint}{advice}"
    )
