"""A session: the compiler at work on one program, without an environment around it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import _core
from llmopt_bench.action_set import ActionSet, make_action_set
from llmopt_bench.datasets import load_program
from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.features import compute_features
from llmopt_bench.passes import PassList, as_pass_list
from llmopt_bench.program import Program
from llmopt_bench.task import METRICS

LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")
"""The optimization levels of clang that ``Session.reference`` knows."""

# References of programs seen by this process. A reference takes as long as a compilation, and
# environments ask for it at every reset. Bounded, since a corpus has more programs than memory.
_MAX_REFERENCES = 100_000
_references: OrderedDict[tuple[str, str, str], int] = OrderedDict()


class Session:
    """The compiler at work on one program.

    A pass list means what one run of ``opt -passes=LIST`` means: analyses are kept from one pass
    to the next, as there. Sessions are independent of each other and may run in parallel
    threads, except that a session and its clones wait for one another.

    Args:
        program: A program, or the URI or path of one.
        metric: What ``evaluate`` returns: ``instruction_count`` or ``text_size``.
        action_set: The actions that ``apply`` and ``evaluate`` know by name; ``passes-v1`` if
            None.

    Raises:
        BadProgram: LLVM cannot read the program.
        UnknownName: There is no such metric.
        UnknownProgram: There is no such program.
    """

    def __init__(
        self,
        program: Program | str | Path,
        *,
        metric: str = "instruction_count",
        action_set: ActionSet | None = None,
    ) -> None:
        self.program = program if isinstance(program, Program) else load_program(str(program))
        self.metric = check_metric(metric)
        self.action_set = make_action_set() if action_set is None else action_set
        self._pristine = _core.Module.read(self.program.bitcode, self.program.uri)
        self._initial: dict[str, int] = {}
        # None while nothing was applied: reset and clone then cost nothing, and the copy is made
        # by the first pass.
        self._module: _core.Module | None = None

    @property
    def module(self) -> _core.Module:
        """The module as it is now, for reading; ``writable_module`` is the one to change."""
        return self._pristine if self._module is None else self._module

    def writable_module(self) -> _core.Module:
        """Return the module of this session alone, which passes may change."""
        if self._module is None:
            self._module = self._pristine.clone()
        return self._module

    @property
    def instruction_count(self) -> int:
        """IR instructions of the module as it is now."""
        return self.module.instruction_count()

    @property
    def text_size(self) -> int:
        """Bytes of machine code in the object file of the module as it is now.

        Raises:
            CompilerError: The module's target is not x86-64.
        """
        return self.module.text_size()

    def measure(self, metric: str | None = None) -> int:
        """Return a metric of the module as it is now; the session's own if None."""
        return measure(self.module, self.metric if metric is None else metric)

    def initial(self, metric: str | None = None) -> int:
        """Return a metric of the unoptimised program; the session's own metric if None."""
        metric = self.metric if metric is None else metric
        if metric not in self._initial:
            self._initial[metric] = measure(self._pristine, metric)
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
        key = (self.program.sha256, level, metric)
        if key not in _references:
            module = self._pristine.clone()
            module.run_clang(level[1:])
            _references[key] = measure(module, metric)
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
            CompilerError: LLVM reported an error.
        """
        text = str(passes)
        if isinstance(passes, str) and passes in self.action_set:
            text = self.action_set.pipeline_of(passes)
        return self.writable_module().run(text)

    def evaluate(
        self,
        pass_lists: Sequence[PassList | str | Iterable[str]],
        metric: str | None = None,
        *,
        here: bool = False,
    ) -> list[int]:
        """Return what each pass list makes of the unoptimised program, in a metric.

        The session itself stays as it is.

        Args:
            pass_lists: Pass lists, texts of pass lists, or iterables of action names.
            metric: The session's own if None.
            here: Start from the module as it is now; see ``PassOrderEnv.evaluate``.

        Raises:
            UnknownPass: A list cannot be read; nothing has run.
            CompilerError: LLVM reported an error.
        """
        if isinstance(pass_lists, str | PassList):
            raise TypeError("expected a sequence of pass lists, got one. Write [pass_list].")
        lists = [as_pass_list(given, self.action_set) for given in pass_lists]
        start = self.module if here else self._pristine
        return [_evaluate(start, passes, metric or self.metric) for passes in lists]

    def features(self, name: str = "autophase") -> NDArray[np.int64]:
        """Return a feature vector of the module as it is now; see ``feature_names``."""
        return compute_features(self.module, name)

    def reset(self) -> None:
        """Go back to the unoptimised program."""
        self._module = None

    def clone(self) -> Session:
        """Return a session in the same state, which goes on by itself.

        Its module is an exact copy; its analyses start anew.
        """
        twin = object.__new__(Session)
        twin.__dict__.update(self.__dict__)
        twin._module = None if self._module is None else self._module.clone()
        return twin

    def bitcode(self) -> bytes:
        """Return the module as it is now as bitcode, with the order of use lists."""
        return self.module.bitcode()

    def ir(self, normalized: bool = False) -> str:
        """Return the module as it is now as IR text.

        Args:
            normalized: As arXiv 2309.07062 feeds it to a model: without comments, metadata and
                attributes, and with white space reduced.
        """
        return self.module.normalized_text() if normalized else self.module.text()

    def content_hash(self) -> str:
        """Return the hex SHA-256 of the code, free of value names, debug info, file and path."""
        return self.module.content_hash()

    def verify(self) -> None:
        """Run LLVM's verifier on the module as it is now.

        Raises:
            InvalidModule: The verifier complains.
        """
        self.module.verify()

    def external_definitions(self) -> list[str]:
        """Return the sorted names of definitions that other modules can see."""
        return self.module.external_definitions()

    def __repr__(self) -> str:
        state = "unoptimised" if self._module is None else "changed"
        return f"<Session {self.program.uri} {state} {self.instruction_count} instructions>"


def _evaluate(start: _core.Module, passes: PassList, metric: str) -> int:
    module = start.clone()
    module.run(passes.text)
    return measure(module, metric)


def measure(module: _core.Module, metric: str) -> int:
    """Return a metric of a module: instructions, or bytes of machine code."""
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
