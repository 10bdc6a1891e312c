"""Coreset-NVP (arXiv 2301.05104), and what its table compares it with.

The agents try lists of a learnt coreset and answer with the best. A list that is tried is one
compilation, whatever its length. In the paper, every prefix of a list counts at no cost. Here the
lists of the coreset come from minimised labels, and only whole lists count, since a prefix that is
looked at is a compilation too.

No agent looks at what -Oz gives; it is a part of many lists of the shipped coreset.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from .config import ENCODERS
from .ranker import Ranker, load_ranker

_FAILED = 2**62
SHIPPED = {"mlp": "coreset-nvp-v1.safetensors", "gnn": "coreset-nvp-gnn-v1.safetensors"}
"""The models that come with the library, beside this module, by encoder."""


@dataclass(frozen=True)
class CoresetNvp:
    """Tries the lists that a network says are best for the program.

    The network sees the unoptimised program, which costs nothing, and, unless it was trained
    otherwise, what the lists so far have made of it: a deviation from the paper, where the order
    is fixed before the first list. Without a budget for a single list it answers the first one
    untried.
    """

    version: ClassVar[str] = "1"
    trained_on: ClassVar[tuple[str, ...]] = ("corpus-train-v1",)
    model: str | None = None
    """Path of a model; None for the one that comes with the library."""
    encoder: str = "mlp"
    """Which of the models that come with the library: ``mlp`` or ``gnn``, which needs PyTorch."""
    tries: int = 5
    """The most lists that are tried."""
    max_passes: int = 45
    """The most passes that are tried in all; the list that goes over is cut there."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder: expected {' or '.join(ENCODERS)}, got {self.encoder!r}")
        _check_limits(self.tries, self.max_passes)
        if self.encoder == "gnn":  # what is missing should be told before a run
            import_module(".graphs", __package__)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best of the lists that were tried."""
        ranker = _ranker(self.model, self.encoder, env)
        encoded, sizes = ranker.encode(env.session), dict[int, int]()
        number = ranker.best(encoded, sizes, env.initial)
        trials = _Trials(env, self.tries, self.max_passes)
        while trials.more:
            sizes[number] = trials.size_with(ranker.lists[number])
            if len(sizes) == len(ranker.lists):
                break
            number = ranker.best(encoded, sizes, env.initial)
        return trials.best if sizes else ranker.lists[number]


@dataclass(frozen=True)
class Coreset:
    """Tries the lists of the coreset in their fixed order: the same for every program."""

    version: ClassVar[str] = "1"
    trained_on: ClassVar[tuple[str, ...]] = ("corpus-train-v1",)
    model: str | None = None
    """Path of a model, whose lists are used; None for the one that comes with the library."""
    tries: int = 5
    """The most lists that are tried."""
    max_passes: int = 45
    """The most passes that are tried in all; the list that goes over is cut there."""

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_limits(self.tries, self.max_passes)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best of the first lists."""
        lists = _ranker(self.model, "mlp", env).lists
        trials = _Trials(env, self.tries, self.max_passes)
        for passes in lists:
            if not trials.more:
                break
            trials.size_with(passes)
        return trials.best if trials.count else lists[0]


@dataclass(frozen=True)
class Oracle:
    """Tries every list of the coreset: what a network that is never wrong would find."""

    version: ClassVar[str] = "1"
    trained_on: ClassVar[tuple[str, ...]] = ("corpus-train-v1",)
    model: str | None = None
    """Path of a model, whose lists are used; None for the one that comes with the library."""

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best of all lists, as far as the budget goes."""
        lists = _ranker(self.model, "mlp", env).lists
        passes = sum(map(len, lists))
        return Coreset(self.model, tries=len(lists), max_passes=max(passes, 1)).run(env)


class _Trials:
    """Tries lists within the limits and the budget, and keeps the best.

    The empty list is known from the start. Ties go to the shorter list, then to the earlier one.
    """

    def __init__(self, env: PassOrderEnv, tries: int, max_passes: int) -> None:
        self.best = PassList([], env.action_set)
        self.count = 0
        self._value = env.initial
        self._env = env
        self._tries = tries
        self._passes = max_passes

    @property
    def more(self) -> bool:
        """Whether one more list can be tried."""
        paid = self._env.meter.remaining
        return self.count < self._tries and self._passes > 0 and (paid is None or paid > 0)

    def size_with(self, passes: PassList) -> int:
        """Return what a list makes of the program; one on which LLVM fails does nothing."""
        passes = passes[: self._passes]
        value = self._env.evaluate([passes], failure=_FAILED)[0]
        self.count += 1
        self._passes -= len(passes)
        if (value, len(passes)) < (self._value, len(self.best)):
            self.best, self._value = passes, value
        return self._env.initial if value == _FAILED else value


def _ranker(model: str | None, encoder: str, env: PassOrderEnv) -> Ranker:
    path = Path(model) if model else Path(str(files(__package__).joinpath(SHIPPED[encoder])))
    return load_ranker(path, env.action_set)


def _check_limits(tries: int, max_passes: int) -> None:
    for name, value in (("tries", tries), ("max_passes", max_passes)):
        if value < 1:
            raise ValueError(f"{name}: expected 1 or more, got {value}")
