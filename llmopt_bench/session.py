"""A session: the compiler at work on one program, without an environment around it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmopt_bench.action_set import ActionSet
from llmopt_bench.backend import backend_of, choose_action_set, make_host
from llmopt_bench.datasets import load_program
from llmopt_bench.errors import CompilerError, UnknownName, unknown
from llmopt_bench.features import compute_features
from llmopt_bench.graph import ProgramGraph, compute_graph
from llmopt_bench.isolation import DEFAULT, Host, Isolation, Module
from llmopt_bench.module_state import ModuleState
from llmopt_bench.passes import PassList, as_pass_list
from llmopt_bench.program import Program
from llmopt_bench.task import METRICS

LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")
"""The optimization levels of clang that ``Session.reference`` knows."""

# References of programs seen by this process. A reference takes as long as a compilation, and
# environments ask for it at every reset. Bounded, since a corpus has more programs than memory.
_MAX_REFERENCES = 100_000
_references: OrderedDict[tuple[str, ...], int] = OrderedDict()


class Session:
    """The compiler at work on one program.

    A pass list means what one run of ``opt -passes=LIST`` means: analyses are kept from one pass
    to the next, as there. LLVM works in a process of its own: when it crashes, hangs or takes too
    much memory, the call raises and the session is where it was before. Sessions are independent
    of each other and may run in parallel threads, except that a session and its clones wait for
    one another.

    Args:
        program: A program, or the URI or path of one.
        metric: What ``evaluate`` returns: ``instruction_count`` or ``text_size``.
        action_set: The actions that ``apply`` and ``evaluate`` know by name; ``passes-v1`` if
            None.
        backend: ``llvm`` (today's), or ``compiler_gym``: CompilerGym's LLVM 10, see
            ``CompilerGymSession``. That of the action set if None.
        isolation: The limits of the worker process; None to let LLVM work in this process, which
            then ends where LLVM crashes; a ``Host`` to share its worker.

    Raises:
        BadProgram: LLVM cannot read the program.
        UnknownName: There is no such metric or backend.
        ValueError: The action set belongs to another backend.
        UnknownProgram: There is no such program.

    Every method that needs LLVM raises ``CompilerCrashed``, ``CompilerTimeout`` or
    ``CompilerOutOfMemory`` for what these names say.
    """

    def __init__(
        self,
        program: Program | str | Path,
        *,
        metric: str = "instruction_count",
        action_set: ActionSet | None = None,
        isolation: Isolation | Host | None = DEFAULT,
        backend: str | None = None,
    ) -> None:
        self.program = program if isinstance(program, Program) else load_program(str(program))
        self.metric = check_metric(metric)
        self.action_set = choose_action_set(backend, action_set)
        host = isolation
        if not isinstance(host, Host):
            host = make_host(host, self.action_set)
        self.state = ModuleState(host, self.program)
        """What was run, and the module that it made; ``Lockstep`` steps it."""
        self.state.pristine()
        self._initial: dict[str, int] = {}

    @property
    def instruction_count(self) -> int:
        """IR instructions of the module as it is now."""
        return self.state.ask(lambda module: module.instruction_count())

    @property
    def text_size(self) -> int:
        """Bytes of machine code in the object file of the module as it is now.

        Raises:
            CompilerError: The module's target is not x86-64.
        """
        return self.state.ask(lambda module: module.text_size())

    def measure(self, metric: str | None = None) -> int:
        """Return a metric of the module as it is now; the session's own if None."""
        metric = self.metric if metric is None else metric
        return self.state.ask(lambda module: _measure(module, metric))

    def initial(self, metric: str | None = None) -> int:
        """Return a metric of the unoptimised program; the session's own metric if None."""
        metric = self.metric if metric is None else metric
        if metric not in self._initial:
            self._initial[metric] = self.state.ask_pristine(lambda module: _measure(module, metric))
        return self._initial[metric]

    def reference(self, level: str = "Oz", metric: str | None = None) -> int:
        """Return what ``clang -<level>`` makes of the program, in a metric.

        This is clang's own pipeline, which is not ``default<Oz>``: clang also vectorizes
        straight-line code. The front end's part of ``-Oz`` (``minsize`` and the like) is in the
        program itself.

        Args:
            level: One of ``LEVELS``; ``O0`` is the program as it is.
            metric: The session's own if None.
        """
        metric = self.metric if metric is None else metric
        if level not in LEVELS:
            raise UnknownName(unknown("optimization level", level, LEVELS))
        if level == "O0":
            return self.initial(metric)
        key = (self.program.sha256, level, metric, backend_of(self.action_set))
        if key not in _references:
            text_size = check_metric(metric) == "text_size"
            _references[key] = self.state.ask_pristine(
                lambda module: module.reference(level[1:], text_size)
            )
            if len(_references) > _MAX_REFERENCES:
                _references.popitem(last=False)
        return _references[key]

    def apply(self, passes: str | PassList) -> bool:
        """Run an action, a pass list, or any pipeline that ``opt -passes=`` takes.

        Names of actions and their aliases come first; other text goes to LLVM as it is, also
        passes that no action set allows.

        Returns:
            False when LLVM is certain that nothing changed. Some passes say that they changed
            something though they did not.

        Raises:
            UnknownPass: It is neither an action nor a pipeline; nothing has run.
            CompilerError: LLVM reported an error; the module is as it was before.
        """
        text = str(passes)
        if isinstance(passes, str) and passes in self.action_set:
            text = self.action_set.pipeline_of(passes)
        return self.step(text)[0]

    def step(self, pipeline: str, autophase: NDArray[np.int64] | None = None) -> tuple[bool, int]:
        """Run a pipeline as ``opt -passes=`` takes it; the quick way for environments.

        Args:
            pipeline: The pipeline.
            autophase: Filled with the features of the result: int64 of shape (56,).

        Returns:
            What ``apply`` returns, and the instruction count.

        Raises:
            UnknownPass, CompilerError: As ``apply``.
        """
        return self.state.step(pipeline, autophase)

    def evaluate(
        self,
        pass_lists: Sequence[PassList | str | Iterable[str]],
        metric: str | None = None,
        *,
        here: bool = False,
        failure: int | None = None,
    ) -> list[int]:
        """Return what each pass list makes of the unoptimised program, in a metric.

        The session itself stays as it is.

        Of a program with one function the lists share what they have in common, with each other
        and with earlier calls: a pass is run once from each state that the code gets into, which
        is several times as fast. The results are those of runs from scratch (docs/search.md says
        how often that was checked); an answer is settled by a run from scratch in any case.
        Lists of larger programs are each run from scratch, since there analyses that LLVM
        keeps from pass to pass make a difference in one list of a thousand.

        Args:
            pass_lists: Pass lists, texts of pass lists, or iterables of action names.
            metric: The session's own if None.
            here: Go on from the module as it is now.
            failure: What to return for a list on which LLVM fails, in place of raising.

        Raises:
            UnknownPass: A list cannot be read; nothing has run.
            CompilerError: LLVM failed on a list, and there is no ``failure``.
        """
        if isinstance(pass_lists, str | PassList):
            raise TypeError("expected a sequence of pass lists, got one. Write [pass_list].")
        lists = [as_pass_list(given, self.action_set) for given in pass_lists]
        metric = self.metric if metric is None else metric
        text_size = check_metric(metric) == "text_size"
        return [self._evaluate(passes, text_size, here, failure) for passes in lists]

    def features(self, name: str = "autophase") -> NDArray[np.int64]:
        """Return a feature vector of the module as it is now; see ``feature_names``."""
        return self.state.ask(lambda module: compute_features(module, name))

    def graph(self) -> ProgramGraph:
        """Return the graph of the module as it is now, for graph neural networks.

        Instructions, values, constants and types, after ProGraML; ``llmopt_bench.graph`` says
        what is in it.

        Raises:
            CompilerError: The graph of an isolated session has more than 256 MiB; that takes more
                than three million instructions.
        """
        return self.state.ask(compute_graph)

    def reset(self) -> None:
        """Go back to the unoptimised program."""
        self.state.reset()

    def clone(self) -> Session:
        """Return a session in the same state, which goes on by itself.

        Costs nothing at once; when the clone is first used, it runs the passes of this session
        again. A copy of the IR would not do: passes also see the analyses that are kept.
        """
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.state = self.state.clone()
        return twin

    def bitcode(self) -> bytes:
        """Return the module as it is now as bitcode, with the order of use lists."""
        return self.state.ask(lambda module: module.bitcode())

    def ir(self, normalized: bool = False) -> str:
        """Return the module as it is now as IR text.

        Args:
            normalized: As arXiv 2309.07062 feeds it to a model: without comments, metadata and
                attributes, and with white space reduced.
        """
        if normalized:
            return self.state.ask(lambda module: module.normalized_text())
        return self.state.ask(lambda module: module.text())

    def content_hash(self) -> str:
        """Return the hex SHA-256 of the code, free of value names, debug info, file and path."""
        return self.state.ask(lambda module: module.content_hash())

    def verify(self) -> None:
        """Run LLVM's verifier on the module as it is now.

        Raises:
            InvalidModule: The verifier complains.
        """
        self.state.ask(lambda module: module.verify())

    def external_definitions(self) -> list[str]:
        """Return the sorted names of definitions that other modules can see."""
        return self.state.ask(lambda module: module.external_definitions())

    def __repr__(self) -> str:
        count = len(self.state.log)
        state = f"after {count} pipelines" if count else "unoptimised"
        return f"<Session {self.program.uri} {state}>"

    def _evaluate(self, passes: PassList, text_size: bool, here: bool, failure: int | None) -> int:
        pipelines = [passes.action_set.pipeline_of(name) for name in passes]
        try:
            return self.state.evaluate(pipelines, text_size, here=here)
        except CompilerError:
            if failure is None:
                raise
            return failure


def _measure(module: Module, metric: str) -> int:
    if check_metric(metric) == "text_size":
        return module.text_size()
    return module.instruction_count()


def check_metric(metric: str) -> str:
    """Return ``metric`` if it is one.

    Raises:
        UnknownName: It is not.
    """
    if metric not in METRICS:
        raise UnknownName(unknown("metric", metric, METRICS))
    return metric
