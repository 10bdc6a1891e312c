"""One step of many sessions at once, in parallel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import _core
from llmopt_bench.backend import backend_of
from llmopt_bench.errors import CompilerError
from llmopt_bench.isolation import Module
from llmopt_bench.session import Session

Result = tuple[bool, int] | CompilerError
"""What a step gave: changed and instruction count, or an error."""


class Lockstep:
    """Steps sessions together: in their worker processes, or in threads of this one.

    Args:
        threads: How many step at a time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = _core.Pool(threads)

    def step(
        self,
        sessions: Sequence[Session],
        pipelines: Sequence[str],
        autophase: NDArray[np.int64] | None = None,
    ) -> list[Result]:
        """Run one pipeline in each session; see ``Session.step``.

        Args:
            sessions: Sessions, all with a worker of their own, or all without isolation.
            pipelines: One for each.
            autophase: Filled with the features of the results: int64 of shape (sessions, 56).
        """
        modules = dict(_modules(sessions))
        ready = list(modules)
        rows = None if autophase is None else autophase[ready]
        stepped = self._run(list(modules.values()), [pipelines[i] for i in ready], rows)
        if autophase is not None and rows is not None:
            autophase[ready] = rows
        results = dict(zip(ready, stepped, strict=True))
        return [
            _finish(
                session,
                results.get(number),
                pipelines[number],
                None if autophase is None else autophase[number],
            )
            for number, session in enumerate(sessions)
        ]

    def _run(
        self,
        modules: list[Module],
        pipelines: list[str],
        rows: NDArray[np.int64] | None,
    ) -> list[tuple[bool, int] | Exception]:
        remote = [module for module in modules if isinstance(module, _core.RemoteModule)]
        if remote:
            return _core.step_all(remote, pipelines, self._threads, rows)
        local = [module for module in modules if isinstance(module, _core.Module)]
        return self._pool.step_all(local, pipelines, rows)


def _modules(sessions: Sequence[Session]) -> Iterator[tuple[int, Module]]:
    """Yield what to step, by the number of its session; not what was lost and stays lost."""
    for number, session in enumerate(sessions):
        if backend_of(session.action_set) != "llvm":
            continue  # CompilerGym steps when its result is asked for
        with contextlib.suppress(CompilerError):  # Session.step meets it again, and says so
            yield number, session.state.writable_module()


def _finish(
    session: Session,
    result: tuple[bool, int] | Exception | None,
    pipeline: str,
    row: NDArray[np.int64] | None,
) -> Result:
    try:
        if result is None:
            return session.step(pipeline, row)
        if isinstance(result, Exception) and not isinstance(result, CompilerError):
            raise result
        return session.state.finish_step(result, pipeline, row)
    except CompilerError as error:
        return error
