"""Processes of CompilerGym that wait for work: starting one takes a second."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from llmopt_bench.compiler_gym_client import CompilerGymProcess
from llmopt_bench.compiler_gym_place import compiler_gym_place

_MAX_IDLE = 2
# Each session of a run would start one: of an agent, of the replay of its answer, of facts.
_idle: dict[tuple[Path, int], list[CompilerGymProcess]] = defaultdict(list)


def take_process(memory_mib: int = 0) -> CompilerGymProcess:
    """Return a process that nobody uses: one that was given back, or a new one.

    Args:
        memory_mib: As for ``CompilerGymProcess``.

    Raises:
        NoCompilerGym: As for ``CompilerGymProcess``.
    """
    idle = _idle[compiler_gym_place().python, memory_mib]
    while True:
        try:
            process = idle.pop()
        except IndexError:
            return CompilerGymProcess(memory_mib)
        if process.usable:
            return process


def give_back(process: CompilerGymProcess) -> None:
    """Let others have a process, all of whose sessions were forgotten."""
    if process.usable and len(_idle[process.kind]) < _MAX_IDLE:
        _idle[process.kind].append(process)
    else:
        process.close()
