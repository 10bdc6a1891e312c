"""Sessions of the programs that an environment has seen, so that a reset need not read again."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from llmopt_bench.action_set import ActionSet
from llmopt_bench.backend import backend_of, make_host
from llmopt_bench.compiler_gym_session import CompilerGymSession
from llmopt_bench.datasets import load_program
from llmopt_bench.isolation import Isolation
from llmopt_bench.program import Program
from llmopt_bench.session import Session

_CAPACITY = 64
# Types, constants and metadata stay in an LLVM context after the modules that made them, so a
# context is given up, and the program read again, after so many episodes.
_EPISODES = 1000


class SessionCache:
    """Keeps the pristine modules of the last programs; each open starts from one of them.

    Args:
        metric: The metric of the sessions.
        action_set: The action set of the sessions.
        isolation: The limits of the worker that the sessions share; None for this process.
    """

    def __init__(self, metric: str, action_set: ActionSet, isolation: Isolation | None) -> None:
        self._host = make_host(isolation, action_set)
        self._metric = metric
        self._action_set = action_set
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._episodes: dict[str, int] = {}
        self._features: dict[str, NDArray[np.int64]] = {}

    def open(self, program: Program | str) -> Session:
        """Return a session at the unoptimised program."""
        key = program.uri if isinstance(program, Program) else program
        session = self._sessions.get(key)
        if session is None or self._episodes[key] >= _EPISODES or _is_other(session, program):
            session = self._read(key, program)
        self._sessions.move_to_end(key)
        self._episodes[key] += 1
        session.reset()
        return session

    def initial_features(self, session: Session) -> NDArray[np.int64]:
        """Return a copy of the Autophase features of the unoptimised program."""
        sha256 = session.program.sha256
        if sha256 not in self._features:
            if len(self._features) >= _CAPACITY:
                self._features.clear()
            self._features[sha256] = session.features("autophase")
        return self._features[sha256].copy()

    def _read(self, key: str, program: Program | str) -> Session:
        if isinstance(program, str):
            program = load_program(program)
        kind = CompilerGymSession if backend_of(self._action_set) == "compiler_gym" else Session
        session = kind(
            program, metric=self._metric, action_set=self._action_set, isolation=self._host
        )
        self._sessions[key] = session
        self._episodes[key] = 0
        if len(self._sessions) > _CAPACITY:
            gone, _ = self._sessions.popitem(last=False)
            del self._episodes[gone]
        return session


def _is_other(session: Session, program: Program | str) -> bool:
    """Whether a program came under the URI of another one."""
    return isinstance(program, Program) and program.sha256 != session.program.sha256
