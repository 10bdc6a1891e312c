"""A module in CompilerGym, with the methods of a module in our own compiler.

So a session, its replay after a crash, its clones and what settles an answer are the same for
both compilers. A pipeline is text of CompilerGym's actions, joined by commas.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from llmopt_bench.compiler_gym_client import CompilerGymProcess
from llmopt_bench.compiler_gym_pool import give_back, take_process
from llmopt_bench.errors import (
    BadProgram,
    CompilerError,
    CompilerKilled,
    UnknownName,
    UnknownPass,
    unknown,
)
from llmopt_bench.isolation import DEFAULT, Host, Isolation, Module, surviving_kills

_LEVELS = {"3": "O3", "z": "Oz"}
"""The levels that CompilerGym has a reference for, besides O0."""


class CompilerGymHost(Host):
    """Where the modules of some sessions live: in a process of CompilerGym.

    Args:
        isolation: The limits; None for none, since CompilerGym has a process of its own anyway.
    """

    def __init__(self, isolation: Isolation | None = DEFAULT) -> None:
        super().__init__(Isolation(0, 0) if isolation is None else isolation)
        self._today = Host(isolation)
        self._process: CompilerGymProcess | None = None

    def read(self, data: bytes, name: str) -> Module:
        """Return the module in bitcode of LLVM 10.

        Raises:
            BadProgram: LLVM 10 cannot read it, or does not survive it.
            NoCompilerGym: It is not set up.
        """
        try:
            module = surviving_kills(lambda: CompilerGymModule(self, data))
        except CompilerKilled:
            raise
        except (BadProgram, CompilerError) as error:
            raise BadProgram(
                f"expected a program that LLVM 10 can read, got {name}. {error} Compile it "
                "with clang 10 (docs/experiments/llvm10_programs.py does without one), or take "
                "CompilerGym's own programs."
            ) from error
        # It has what a module must have, and nothing else of one.
        return cast(Module, module)

    def process(self) -> CompilerGymProcess:
        """Return a process that works; another one if the last is gone."""
        if self._process is None or not self._process.usable:
            limits = self.isolation or DEFAULT
            self._process = take_process(limits.memory_mib)
            weakref.finalize(self, give_back, self._process).atexit = False
        return self._process

    def today(self, bitcode: bytes) -> Module:
        """Return a module as today's LLVM reads it.

        Raises:
            BadProgram: It cannot, or the verifier complains.
        """
        return self._today.read(bitcode, "what CompilerGym made")


class CompilerGymModule:
    """A session of CompilerGym's service on one program.

    Every method raises ``CompilerKilled`` when the process is gone, with all its modules.

    Args:
        host: Where it lives.
        data: Bitcode.

    Raises:
        BadProgram: LLVM 10 cannot read it.
    """

    def __init__(self, host: CompilerGymHost, data: bytes) -> None:
        self._host = host
        self._data = data
        self._process = host.process()
        self._applied: list[int] = []
        self._trial: CompilerGymModule | None = None
        name = hashlib.sha256(data).hexdigest()
        self._session, _ = self._process.call("open", self._deadline, data, name=name)
        weakref.finalize(self, self._process.forget, self._session)

    def clone(self) -> CompilerGymModule:
        """Return a module that the same actions were applied to, from the start.

        CompilerGym's own fork copies the code through a file, and may then go another way than
        the original.
        """
        twin = CompilerGymModule(self._host, self._data)
        if self._applied:
            twin._run(self._applied, ())
        return twin

    def run(self, pipeline: str) -> bool:
        """Apply actions; False when LLVM says that nothing changed."""
        return self._run(self._numbers(pipeline), ())[0]

    def step(self, pipeline: str, autophase: NDArray[np.int64] | None = None) -> tuple[bool, int]:
        """Apply actions; return changed and instruction count; fill ``autophase``."""
        wanted = ["IrInstructionCount"] + (["Autophase"] if autophase is not None else [])
        changed, values = self._run(self._numbers(pipeline), wanted)
        if autophase is not None:
            autophase[:] = values[1]
        return changed, int(values[0])

    def evaluate(self, pipeline: str, text_size: bool = False) -> int:
        """Return instructions, or bytes of machine code, of a copy after some actions."""
        return self.evaluate_list([pipeline], text_size)

    def evaluate_list(self, pipelines: Sequence[str], text_size: bool = False) -> int:
        """As ``evaluate``, of pipelines one after the other."""
        numbers = [n for pipeline in pipelines for n in self._numbers(pipeline)]
        wanted = ["ObjectTextSizeBytes" if text_size else "IrInstructionCount"]
        if not numbers:
            return int(self.observation(wanted[0]))
        if self._trial is None:
            self._trial = CompilerGymModule(self._host, self._data)
        self._trial._call("reset")
        _, values = self._trial._run([*self._applied, *numbers], wanted)
        return int(values[0])

    def reference(self, level: str, text_size: bool = False) -> int:
        """Return CompilerGym's ``...O3`` or ``...Oz`` of the unoptimised program.

        Raises:
            UnknownName: It has no reference of this level.
        """
        if level not in _LEVELS:
            known = ("O0", *_LEVELS.values())
            raise UnknownName(unknown("optimization level of CompilerGym", f"O{level}", known))
        metric = "ObjectTextSize" if text_size else "IrInstructionCount"
        return int(self.observation(metric + _LEVELS[level]))

    def instruction_count(self) -> int:
        """Return CompilerGym's ``IrInstructionCount``."""
        return int(self.observation("IrInstructionCount"))

    def text_size(self) -> int:
        """Return ``ObjectTextSizeBytes``: of what this machine's clang compiles the code to."""
        return int(self.observation("ObjectTextSizeBytes"))

    def bitcode(self) -> bytes:
        """Return the module as LLVM 10 writes it."""
        return bytes(self.observation("Bitcode").tobytes())

    def text(self) -> str:
        """Return the module as LLVM 10 prints it."""
        return str(self.observation("Ir"))

    def autophase(self, out: NDArray[np.int64], native: bool = False) -> None:
        """Fill in the features that CompilerGym computes, or today's LLVM if ``native``."""
        if native:
            self._as_today().autophase(out, native=True)
        else:
            out[:] = self.observation("Autophase")

    def instcount(self, out: NDArray[np.int64], native: bool = False) -> None:
        """As ``autophase``."""
        if native:
            self._as_today().instcount(out, native=True)
        else:
            out[:] = self.observation("InstCount")

    def normalized_text(self) -> str:
        """Return the text of the module as today's LLVM reads it."""
        return self._as_today().normalized_text()

    def content_hash(self) -> str:
        """Return the hash of the module as today's LLVM reads it."""
        return self._as_today().content_hash()

    def functions(self) -> list[str]:
        """Return the names of the functions that are defined."""
        return self._as_today().functions()

    def external_definitions(self) -> list[str]:
        """Return what other modules can see."""
        return self._as_today().external_definitions()

    def graph(self) -> Any:
        """Return the graph of the module as today's LLVM reads it."""
        return self._as_today().graph()

    def verify(self) -> None:
        """Run today's verifier; CompilerGym has run its own after every pass."""
        self._as_today().verify()

    def observation(self, name: str) -> Any:
        """Return an observation of CompilerGym: a number, text, an array, a list or a dict.

        Raises:
            UnknownName: There is none of this name.
        """
        self._check_name("observation", name)
        value, raw = self._call("observation", name=name)
        return _value(value, raw)[0]

    def reward(self, name: str) -> float:
        """Return what CompilerGym pays, in sum, for all actions since the start.

        Raises:
            UnknownName: There is no such reward.
        """
        self._check_name("reward", name)
        value, _ = self._call("reward", name=name)
        return float(value)

    def _as_today(self) -> Module:
        return self._host.today(self.bitcode())

    def _check_name(self, kind: str, name: str) -> None:
        known = self._process.facts[f"{kind}s"]
        if name not in known:
            raise UnknownName(unknown(f"{kind} of CompilerGym", name, known))

    def _numbers(self, pipeline: str) -> list[int]:
        names: list[str] = self._process.facts["actions"]
        try:
            return [names.index(name) for name in pipeline.split(",") if name]
        except ValueError:
            wrong = next(name for name in pipeline.split(",") if name and name not in names)
            advice = "CompilerGym has 124 actions, with their dash: -mem2reg."
            raise UnknownPass(unknown("action", wrong, names, advice)) from None

    def _run(self, numbers: list[int], wanted: Sequence[str]) -> tuple[bool, list[Any]]:
        answer, raw = self._call("apply", actions=numbers, observations=list(wanted))
        self._applied += numbers
        values = []
        for value in answer["values"]:
            decoded, raw = _value(value, raw)
            values.append(decoded)
        return bool(answer["changed"]), values

    def _call(self, op: str, **arguments: Any) -> tuple[Any, bytes]:
        return self._process.call(op, self._deadline, session=self._session, **arguments)

    @property
    def _deadline(self) -> float:
        return (self._host.isolation or DEFAULT).deadline


def _value(value: Any, raw: bytes) -> tuple[Any, bytes]:
    """Return a value that the process told, and the raw bytes that are left for others."""
    if isinstance(value, dict) and value.keys() == {"dtype", "shape"}:
        count = int(np.prod(value["shape"]))
        array = np.frombuffer(raw, value["dtype"], count).reshape(value["shape"]).copy()
        return array, raw[array.nbytes :]
    return value, raw
