"""Where programs come from: datasets by name, files by path, and one function to load any."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path

from llmopt_bench.datasets.base import Dataset, FiniteDataset
from llmopt_bench.datasets.bundled import BundledFunctions, BundledPrograms
from llmopt_bench.datasets.csmith import CsmithPrograms
from llmopt_bench.datasets.files import SUFFIXES, is_file_name, load_file
from llmopt_bench.errors import UnknownName, UnknownProgram, unknown
from llmopt_bench.program import Program

__all__ = ["Dataset", "FiniteDataset", "dataset_names", "load_program", "make_dataset"]

_DATASETS: dict[str, type[Dataset]] = {
    dataset.name: dataset for dataset in (BundledPrograms, BundledFunctions, CsmithPrograms)
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
        raise UnknownName(unknown("dataset", name, _DATASETS))
    return _DATASETS[name]()


def load_program(uri: str | Path) -> Program:
    """Return the program that a URI or a path names.

    Args:
        uri: ``<dataset>/<program>``, for example ``bundled-v1/crc_family``,
            ``bundled-functions-v1/crc_family/adler32`` or ``csmith-v0/17``, with or without
            ``benchmark://`` before it; or a file that ends in .c, .cc, .cpp, .cxx, .ll or .bc, as
            ``file:///absolute/path`` or as a path.

    Raises:
        UnknownProgram: Nothing has this name.
        BadProgram: The file holds no program, or the source does not compile.
        MissingTool: The program has to be generated or compiled, and the tool is not installed.
    """
    if isinstance(uri, Path):
        return load_file(uri)
    uri = uri.removeprefix(_OPTIONAL_SCHEME)
    dataset, _, name = uri.partition("/")
    if dataset in _DATASETS and name:
        return make_dataset(dataset).load(uri)
    # What is there but has no ending of ours gets the message about endings.
    if "\0" not in uri and (is_file_name(uri) or (uri and Path(uri).exists())):
        return load_file(uri)
    raise _unresolved(uri)


def _unresolved(uri: str) -> UnknownProgram:
    dataset, slash, _ = uri.partition("/")
    if dataset in _DATASETS:
        return UnknownProgram(f"expected {dataset}/<program>, got {uri!r}.")
    advice = f"Datasets: {', '.join(_DATASETS)}. Files end in {', '.join(SUFFIXES)}."
    if slash:
        return UnknownProgram(unknown("dataset", dataset, _DATASETS, advice))
    # Most often the dataset was forgotten.
    known = {name: f"{BundledPrograms.name}/{name}" for name in BundledPrograms().names}
    near = difflib.get_close_matches(uri, known, n=1)
    hint = f"Did you mean {known[near[0]]!r}? " if near else ""
    return UnknownProgram(f"expected <dataset>/<program> or a file, got {uri!r}. {hint}{advice}")
