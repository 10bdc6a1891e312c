"""The search of ``tune``: an agent with a progress bar, whom Ctrl-C stops and does not waste."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import typer

from llmopt_bench.agent import LoadedAgent
from llmopt_bench.budget import Meter
from llmopt_bench.cli_console import progress_bar
from llmopt_bench.env import PassOrderEnv
from llmopt_bench.isolation import Isolation
from llmopt_bench.minimize import Minimizer
from llmopt_bench.passes import PassList
from llmopt_bench.program import Program
from llmopt_bench.session import Session
from llmopt_bench.verify import replay, settle

_REFRESH_SECONDS = 0.1


class Found(NamedTuple):
    """What a search has found."""

    session: Session
    """Holds the result."""
    pass_list: PassList
    compilations: int
    """What the agent has spent."""
    minimizing: int
    """Compilations spent to shorten the list, outside of the budget."""
    interruption: KeyboardInterrupt | None
    """What has cut the search off, if anything has."""


class Search:
    """Searches for a pass list for one program.

    Args:
        program: The program.
        metric: What to make small.
        isolation: The limits of the compiler.
    """

    def __init__(self, program: Program, metric: str, isolation: Isolation | None) -> None:
        self._program = program
        self._metric = metric
        self._isolation = isolation
        self._interruption: KeyboardInterrupt | None = None

    def unoptimised(self) -> Session:
        """Return a session that holds the program as it is."""
        return Session(self._program, metric=self._metric, isolation=self._isolation)

    def require_machine_code(self) -> None:
        """Raise ``CompilerError`` now, not after the search, if the target is not x86-64."""
        self.unoptimised().initial("text_size")

    def run(self, agent: LoadedAgent, budget: int, seed: int) -> Found:
        """Return the smaller of the agent's answer and -Oz, without passes that do nothing.

        Raises:
            KeyboardInterrupt: The second one; the first ends the search alone.
        """
        meter = Meter(budget)
        answer, session = self._settled(self._answer(agent, meter, seed))
        if session.measure() >= session.reference("Oz"):
            oz = PassList(["Oz"])
            session = replay(self._program, oz, metric=self._metric, isolation=self._isolation)
            return Found(session, oz, meter.compilations, 0, self._interruption)
        minimizer = Minimizer(session, answer)
        with self._interruptible():
            minimizer.run()
        shorter, other = self._settled(minimizer.pass_list)
        if other.measure() <= session.measure():
            answer, session = shorter, other
        spent = minimizer.compilations
        return Found(session, answer, meter.compilations, spent, self._interruption)

    def _settled(self, answer: PassList) -> tuple[PassList, Session]:
        return settle(self._program, answer, metric=self._metric, isolation=self._isolation)

    def _answer(self, agent: LoadedAgent, meter: Meter, seed: int) -> PassList:
        """Return the answer of the agent, or the best list that it has seen until Ctrl-C."""
        env = PassOrderEnv(
            self._program, metric=self._metric, meter=meter, isolation=self._isolation
        )
        env.reset(seed=seed)
        curve = env.curve
        with self._interruptible(), _progress(env, budget=meter.budget or 0):
            return agent.run(env)
        return curve.pass_list or PassList([], env.action_set)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let the first Ctrl-C end the block and no more."""
        try:
            yield
        except KeyboardInterrupt as error:
            if self._interruption is not None:
                raise
            self._interruption = error
            typer.echo(
                "interrupted: finishing with the best so far; again to end at once", err=True
            )


@contextmanager
def _progress(env: PassOrderEnv, budget: int) -> Iterator[None]:
    """Show on a terminal how much is spent, and the best so far."""
    if not sys.stderr.isatty():
        yield
        return
    best, done = f"{env.curve.best:,}", threading.Event()

    def improved(compilations: int, value: int) -> None:
        nonlocal best
        best = f"{value:,} after {compilations:,}"

    with progress_bar() as advance:

        def watch() -> None:
            while not done.wait(_REFRESH_SECONDS):
                advance(env.meter.compilations, budget, f"best {best}, -Oz {oz:,}")

        oz = env.oz
        env.curve.listener = improved
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
