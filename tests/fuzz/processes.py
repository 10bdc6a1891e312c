"""The processes in which pass lists run, so that one that ends its process is only a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ways import WAYS, Outcome

from llmopt_bench.program import Program

REFERENCE = "opt"
ELSEWHERE = "elsewhere"
"""The way ``joined`` in a process of its own, with another PYTHONHASHSEED."""
ALL_WAYS = (*WAYS, ELSEWHERE)
# With MALLOC_PERTURB_=165 beside it, reads of what nobody wrote would show too, at half the speed.
ENVIRONMENTS = {"here": {"PYTHONHASHSEED": "1"}, ELSEWHERE: {"PYTHONHASHSEED": "4242"}}
WAYS_SCRIPT = Path(__file__).with_name("ways.py")


class Helper:
    """A process that runs ways on request, and is started anew when a pass list has ended it."""

    def __init__(self, environment: Mapping[str, str], script: Path = WAYS_SCRIPT) -> None:
        self._script = script
        self._environment = os.environ | environment
        self._process: subprocess.Popen[str] | None = None

    def ask(self, way: str, file: Path, names: Sequence[str]) -> Outcome:
        """Return the outcome of a way; of one that ended the process, how it ended."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([way, str(file), list(names)]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            return Outcome(**json.loads(answer))
        status = process.wait()
        self.close()
        return Outcome(error=f"process ended: status {status}")

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.communicate()
        self._process = None

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._environment,
        )


class Bench:
    """The helper processes that one pass list after another goes through.

    Args:
        ways: The ways to compare; the first one is what the others are held against.
    """

    def __init__(self, ways: Sequence[str] = ALL_WAYS) -> None:
        self.ways = ways
        # A program is handed on as bitcode: sources with __TIME__ give other code in each process.
        self._folder = tempfile.TemporaryDirectory(prefix="llmopt-fuzz-")
        self._helpers = {name: Helper(extra) for name, extra in ENVIRONMENTS.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers.values():
            helper.close()
        self._folder.cleanup()

    def run(self, program: Program, names: Sequence[str]) -> dict[str, Outcome]:
        """Return the outcome of each way."""
        file = Path(self._folder.name, f"{program.sha256}.bc")
        if not file.exists():
            file.write_bytes(program.bitcode)
        return {way: self._run(way, file, names) for way in self.ways}

    def _run(self, way: str, file: Path, names: Sequence[str]) -> Outcome:
        if way == ELSEWHERE:
            return self._helpers[ELSEWHERE].ask("joined", file, names)
        return self._helpers["here"].ask(way, file, names)


def differing(outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Return the ways that do not agree with the first one."""
    reference = next(iter(outcomes.values()))
    return tuple(way for way, outcome in outcomes.items() if not outcome.agrees(reference))
