"""The programs that come with the package, whole and function by function."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from llmopt_bench.datasets.base import FiniteDataset
from llmopt_bench.execution import Expected
from llmopt_bench.program import Program

if TYPE_CHECKING:
    from llmopt_bench._core import Module

DATA = resources.files(__package__) / "bundled"
LEAST_INSTRUCTIONS = 3
"""A function with fewer has nothing to shrink: a call or a value, and the return."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the manifest says of one program."""

    name: str
    kind: str
    """The folder of its source: ``crypto``, ``graphs``, ..."""
    source_sha256: str
    bitcode_sha256: str
    content_hash: str
    functions: Mapping[str, int]
    """Instructions of each function in the unoptimized module, in the module's order."""
    stdout_sha256: str
    """Of what it prints when it runs."""
    exit_code: int

    @property
    def source_path(self) -> str:
        """Path of the C file in the data folder."""
        return f"{self.kind}/{self.name}.c"

    @property
    def bitcode_path(self) -> str:
        """Path of the bitcode in the data folder."""
        return f"bitcode/{self.name}.bc"


@functools.cache
def entries() -> Mapping[str, Entry]:
    """Return the manifest: an entry for each program, sorted by name."""
    data: dict[str, Any] = json.loads((DATA / "manifest.json").read_text("utf-8"))
    return {entry["name"]: Entry(**entry) for entry in data["programs"]}


class BundledPrograms(FiniteDataset):
    """Whole programs in C, written for this project; each prints what it computes."""

    name = "bundled-v1"
    version = "1"
    description = "C programs of many kinds that come with the package, one module each"
    licence = "Apache-2.0"

    @functools.cached_property
    def names(self) -> Sequence[str]:
        """The names of the programs, sorted."""
        return tuple(entries())

    def load(self, uri: str) -> Program:
        """Return the program ``bundled-v1/<name>``, with its C text.

        Raises:
            UnknownProgram: There is no program of this name.
        """
        entry = self._entry(uri)
        return Program(
            f"{self.name}/{entry.name}",
            (DATA / entry.bitcode_path).read_bytes(),
            (DATA / entry.source_path).read_text("utf-8"),
        )

    def expected(self, uri: str) -> Expected:
        """Return what the program ``bundled-v1/<name>`` must print, and its exit code.

        Raises:
            UnknownProgram: There is no program of this name.
        """
        entry = self._entry(uri)
        return Expected(entry.stdout_sha256, entry.exit_code)

    def _entry(self, uri: str) -> Entry:
        name = self._name_in(uri)
        entry = entries().get(name)
        if entry is None:
            raise self._missing(name)
        return entry


class BundledFunctions(FiniteDataset):
    """Each function of the bundled programs alone, as 2309.07062 does with its programs.

    Functions of less than ``LEAST_INSTRUCTIONS`` are left out. A local function becomes visible
    from outside: alone in its module it would be dead code otherwise. A function alone is no
    program that could be run, so nothing is ``expected`` of it; the program it is from is run.
    """

    name = "bundled-functions-v1"
    version = "1"
    description = "The functions of bundled-v1, one module each"
    licence = "Apache-2.0"

    @property
    def code_root(self) -> str:
        """The programs that the functions are of."""
        return BundledPrograms.name

    @functools.cached_property
    def names(self) -> Sequence[str]:
        """``<program>/<function>``: programs sorted, functions in the order of the module."""
        return tuple(
            f"{entry.name}/{function}"
            for entry in entries().values()
            for function, instructions in entry.functions.items()
            if instructions >= LEAST_INSTRUCTIONS
        )

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    def load(self, uri: str) -> Program:
        """Return the function ``bundled-functions-v1/<program>/<function>``.

        Raises:
            UnknownProgram: There is no such function, or it is too small.
        """
        name = self._name_in(uri)
        if name not in self._known:
            raise self._missing(name)
        program, function = name.split("/")
        return Program(f"{self.name}/{name}", _module(program).extract(function).bitcode())


@functools.lru_cache(maxsize=16)
def _module(program: str) -> Module:
    """Keep the modules that functions were last taken from: neighbours are asked for in a row."""
    from llmopt_bench._core import Module

    return Module.read((DATA / entries()[program].bitcode_path).read_bytes(), program)
