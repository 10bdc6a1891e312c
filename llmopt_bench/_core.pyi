"""The C++ core (csrc/): LLVM modules and the passes that run on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class _AnyModule:
    """What a module in this process and one in a worker have in common."""

    def run(self, pipeline: str) -> bool:
        """Run ``opt -passes=PIPELINE``; False when no pass reports a change.

        Raises:
            UnknownPass: LLVM does not know the pipeline; nothing has run.
            CompilerError: LLVM reported an error.
        """

    def run_clang(self, level: str) -> bool:
        """Run what ``clang -O<level>`` runs; level is one of 1, 2, 3, s, z."""

    def step(self, pipeline: str, autophase: NDArray[np.int64] | None = None) -> tuple[bool, int]:
        """Run; return changed and instruction count; fill ``autophase``, int64 of shape (56,)."""

    def evaluate(self, pipeline: str, text_size: bool = False) -> int:
        """Return instructions, or bytes of machine code, of a copy on which a pipeline has run."""

    def evaluate_list(self, pipelines: Sequence[str], text_size: bool = False) -> int:
        """As ``evaluate`` of these pipelines one after the other; shares work with earlier calls.

        Equal to ``evaluate`` but for rare lists; see ``Session.evaluate``.
        """

    def reference(self, level: str, text_size: bool = False) -> int:
        """Return the same of a copy on which ``clang -O<level>`` has run; level as above."""

    def bitcode(self) -> bytes: ...
    def object(self) -> bytes:
        """Return the object file that the module compiles to, for x86-64."""

    def text(self) -> str: ...
    def normalized_text(self) -> str: ...
    def content_hash(self) -> str:
        """Return the hex SHA-256 of the code, free of value names, debug info, file and path."""

    def verify(self) -> None:
        """Run LLVM's verifier.

        Raises:
            InvalidModule: It complains.
        """

    def instruction_count(self) -> int: ...
    def text_size(self) -> int:
        """Return the bytes of code in the object file of this module, as ``clang -c`` gives."""

    def functions(self) -> list[str]: ...
    def external_definitions(self) -> list[str]: ...
    def autophase(self, out: NDArray[np.int64], native: bool = False) -> None: ...
    def instcount(self, out: NDArray[np.int64], native: bool = False) -> None: ...
    def graph(
        self,
    ) -> tuple[
        NDArray[np.uint8],
        NDArray[np.int32],
        NDArray[np.int32],
        NDArray[np.uint8],
        NDArray[np.int32],
    ]:
        """Return the fields of ``llmopt_bench.graph.ProgramGraph``."""

class Module(_AnyModule):
    """An LLVM module with the compiler that works on it; safe to use from any thread.

    Modules that come from one another by ``clone`` share an LLVM context and wait for each
    other; modules from ``read`` and ``extract`` run in parallel. The GIL is released.
    """

    @staticmethod
    def read(data: bytes, name: str) -> Module:
        """Return the module in bitcode or IR text; ``name`` is for messages.

        Raises:
            BadProgram: LLVM cannot read it, or it is not valid IR.
        """

    def clone(self) -> Module:
        """Return a copy of the IR, exact but for the analyses that were kept."""

    def extract(self, function: str) -> Module:
        """Return ``function`` as a module of its own, in a context of its own.

        What else it mentions is declared; local constants that it reaches stay. Debug info and
        module-level assembly go. The cost is that of the function, not of the module.

        Raises:
            BadProgram: The module defines no such function.
        """

    def near_hash(self) -> str:
        """Return the hex SHA-256 of the code but for names and values of constants.

        The same for a function and a renamed copy of it with other constants. Left out too:
        attributes, alignments, metadata, linkage. Comparable within one LLVM major.
        """

class Pool:
    """Threads that step many modules at once."""

    def __init__(self, threads: int) -> None: ...
    def step_all(
        self,
        modules: list[Module],
        pipelines: list[str],
        autophase: NDArray[np.int64] | None = None,
    ) -> list[tuple[bool, int] | Exception]:
        """Step each module; an entry is the result of ``Module.step`` or the error it raised."""

class ForkServer:
    """The process that workers are forked from, at the other end of a socket."""

    @staticmethod
    def connect(socket: int) -> ForkServer:
        """Take over a socket at whose other end ``serve_forks`` runs."""

    def take(self, memory: int) -> Worker:
        """Return a worker that nobody uses, with a limit on its memory in bytes (0: none)."""

    def alive(self) -> bool: ...
    def close(self) -> None:
        """End the process and its workers."""

class Worker:
    """A process that holds modules and runs passes on them."""

    @property
    def pid(self) -> int:
        """Process number; 0 until it runs."""

    def alive(self) -> bool: ...
    def worn_out(self) -> bool:
        """Return whether a new one would have less memory in pieces."""

def limit_shared_states(instructions: int = 500_000, states: int = 200_000) -> None:
    """Set what ``evaluate_list`` keeps at most of each module in this process; for tests."""

class RemoteModule(_AnyModule):
    """An LLVM module that lives in a worker.

    Every method raises ``CompilerCrashed``, ``CompilerKilled``, ``CompilerTimeout`` or
    ``CompilerOutOfMemory`` when the worker is lost, with all its modules.
    """

    @staticmethod
    def read(worker: Worker, data: bytes, name: str, deadline: float) -> RemoteModule:
        """As ``Module.read``; the deadline, in seconds, is for each later call (0: none)."""

    def evaluate_here(self, pipeline: str, text_size: bool = False) -> int:
        """Return the metric of a forked copy, analyses and all, on which a pipeline has run."""

    def clone(self) -> RemoteModule:
        """As ``Module.clone``, done by the next call."""

def step_all(
    modules: list[RemoteModule],
    pipelines: list[str],
    parallel: int,
    autophase: NDArray[np.int64] | None = None,
) -> list[tuple[bool, int] | Exception]:
    """Step modules of different workers, so many at a time; else as ``Pool.step_all``."""

def serve_forks(socket: int, parent: int) -> None:
    """Make workers as the process ``parent`` asks for them; does not return."""

def autophase_names() -> list[str]: ...
def instcount_names(native: bool = False) -> list[str]: ...
def graph_vocabulary() -> list[str]: ...
def bare_clone(module: Module) -> float:
    """Return the seconds of one CloneModule, which does not keep the order of use lists."""

def bare_loop(module: Module, pipelines: list[str]) -> float:
    """Return the seconds that a plain C++ loop takes, with fresh analysis managers per pass."""

def build_info() -> dict[str, Any]: ...
