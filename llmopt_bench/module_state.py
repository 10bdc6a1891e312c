"""The state of a session: the pipelines that were run, and modules that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import _core
from llmopt_bench.errors import (
    CompilerCrashed,
    CompilerError,
    CompilerKilled,
    CompilerOutOfMemory,
    CompilerTimeout,
)
from llmopt_bench.isolation import Host, Module, surviving_kills
from llmopt_bench.program import Program

_T = TypeVar("_T")


class ModuleState:
    """A program and the pipelines that were run on it.

    The pipelines are the truth. Modules are copies that are made of them when needed, and made
    again where an error spoilt them or a worker was lost: the state after an error is the state
    before the call.

    Args:
        host: Where the modules live.
        program: The program.
        log: The pipelines, each as it was run.
    """

    def __init__(self, host: Host, program: Program, log: Sequence[str] = ()) -> None:
        self.host = host
        self.log = list(log)
        self._program = program
        self._changed: Module | None = None
        self._pristine: Module | None = None
        self._single: bool | None = None

    def pristine(self) -> Module:
        """Return the module of the unoptimised program, which stays as it is.

        Raises:
            BadProgram: LLVM cannot read the program.
        """
        if self._pristine is None:
            self._pristine = self.host.read(self._program.bitcode, self._program.uri)
        return self._pristine

    def writable_module(self) -> Module:
        """Return the module as it is now, which passes may change."""
        if self._changed is None:
            module = self.pristine().clone()
            for pipeline in self.log:
                module.run(pipeline)
            self._changed = module
        return self._changed

    def step(self, pipeline: str, autophase: NDArray[np.int64] | None = None) -> tuple[bool, int]:
        """Run a pipeline; see ``Session.step``."""
        result: tuple[bool, int] | CompilerError
        try:
            result = self.writable_module().step(pipeline, autophase)
        except CompilerError as error:
            result = error
        except BaseException:  # Ctrl-C: nobody knows how far it got
            self._changed = None
            raise
        return self.finish_step(result, pipeline, autophase)

    def finish_step(
        self,
        result: tuple[bool, int] | CompilerError,
        pipeline: str,
        autophase: NDArray[np.int64] | None,
    ) -> tuple[bool, int]:
        """Take note of what a step of ``writable_module`` gave; the second half of ``step``.

        Raises:
            CompilerError: The one that is given, unless the worker was only killed from outside;
                then the step is done again.
        """
        if isinstance(result, CompilerError):
            self._lose(result)
            if not isinstance(result, CompilerKilled):
                raise result
            result = self._try(lambda: self.writable_module().step(pipeline, autophase))
        self.log.append(pipeline)
        return result

    def ask(self, question: Callable[[Module], _T]) -> _T:
        """Return what a question about the module as it is now gives."""
        return self._try(lambda: question(self.writable_module() if self.log else self.pristine()))

    def ask_pristine(self, question: Callable[[Module], _T]) -> _T:
        """Return what a question about the unoptimised program gives."""
        return self._try(lambda: question(self.pristine()))

    def evaluate(self, pipelines: Sequence[str], text_size: bool, *, here: bool) -> int:
        """Return what pipelines make of the program, or of the module as it is now.

        Args:
            pipelines: The pipelines, to be run one after the other.
            text_size: Whether bytes of machine code are asked for, not instructions.
            here: Whether to go on from the module as it is now.
        """
        here = here and bool(self.log)
        if self._shares_work():
            way = [*self.log, *pipelines] if here else pipelines
            return self.ask_pristine(lambda module: module.evaluate_list(way, text_size))
        text = ",".join(pipelines)
        if not here:
            return self.ask_pristine(lambda module: module.evaluate(text, text_size))

        def go_on(module: Module) -> int:
            if isinstance(module, _core.RemoteModule):
                return module.evaluate_here(text, text_size)
            trial = self.clone()
            trial.step(text)
            return trial.ask(lambda changed: changed.evaluate("", text_size))

        return self.ask(go_on)

    def _shares_work(self) -> bool:
        """Whether lists may share what they have in common; see ``Session.evaluate``."""
        if self._single is None:
            self._single = self.ask_pristine(lambda module: len(module.functions())) <= 1
        return self._single

    def reset(self) -> None:
        """Go back to the unoptimised program."""
        self.log = []
        self._changed = None

    def clone(self) -> ModuleState:
        """Return the same state, whose module is made when it is needed."""
        twin = ModuleState(self.host, self._program, self.log)
        twin._pristine = self._pristine
        twin._single = self._single
        return twin

    def _try(self, call: Callable[[], _T]) -> _T:
        def attempt() -> _T:
            try:
                return call()
            except CompilerError as error:
                self._lose(error)
                raise

        return surviving_kills(attempt)

    def _lose(self, error: CompilerError) -> None:
        """Forget the modules that an error has spoilt."""
        self._changed = None
        if not isinstance(error, CompilerKilled):
            self.host.failures += 1
        if isinstance(error, CompilerCrashed | CompilerTimeout | CompilerOutOfMemory):
            self._pristine = None
