"""Agents that do what agents should not do, and some that are only unusual."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv
from llmopt_bench.errors import CompilerCrashed


class Raises:
    version = "7"

    def run(self, env: PassOrderEnv) -> PassList:
        env.step(0)
        raise RuntimeError("out of\nideas")


class Overspends:
    def run(self, env: PassOrderEnv) -> PassList:
        oz = PassList(["Oz"], env.action_set)
        while True:
            env.evaluate(oz)


class Answers:
    """Answers with what it was told to, whatever it is."""

    def __init__(self, kind: str = "number") -> None:
        self.kind = kind

    def run(self, env: PassOrderEnv) -> object:
        answers = {
            "number": 42,
            "none": None,
            "bytes": b"sroa",
            "mapping": {"sroa": 1},
            "numbers": [1, 2],
            "unknown": ["no-such-pass"],
            "excluded": "internalize,globaldce",
            "text": "sroa,instcombine",
            "names": ["sroa", "instcombine"],
        }
        return answers[self.kind]


class Crashes:
    """Makes LLVM crash twice, and answers well."""

    def run(self, env: PassOrderEnv) -> PassList:
        for _ in range(2):
            with contextlib.suppress(CompilerCrashed):
                env.session.apply("trigger-crash-module")
        return PassList(["Oz"], env.action_set)


class BadUsage:
    usage: ClassVar[dict[str, float]] = {"tokens": float("nan")}

    def run(self, env: PassOrderEnv) -> PassList:
        return PassList([], env.action_set)


class PaysAndFails:
    """Works once, then fails after it has paid, then fails at once."""

    def __init__(self) -> None:
        self.usage: dict[str, int] = {}
        self._runs = 0

    def run(self, env: PassOrderEnv) -> PassList:
        self._runs += 1
        if self._runs == 3:
            raise RuntimeError("fails at once")
        self.usage = {"tokens": 5 + 2 * self._runs}
        if self._runs == 2:
            raise RuntimeError("fails after it has paid")
        return PassList([], env.action_set)


class Killed:
    """Loses its process; with ``marker``, only the first time."""

    def __init__(self, marker: str = "") -> None:
        self.marker = marker

    def run(self, env: PassOrderEnv) -> PassList:
        if not self.marker or not Path(self.marker).exists():
            if self.marker:
                Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return PassList([], env.action_set)


class Sleeps:
    """Writes its process number to ``pid_file`` and hangs."""

    def __init__(self, pid_file: str) -> None:
        self.pid_file = pid_file

    def run(self, env: PassOrderEnv) -> PassList:
        Path(self.pid_file).write_text(str(os.getpid()), "utf-8")
        time.sleep(600)
        return PassList([], env.action_set)


class Prints:
    def run(self, env: PassOrderEnv) -> PassList:
        print("not JSON", flush=True)  # noqa: T201
        return PassList([], env.action_set)


class Picky:
    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size must be 1 or more, got {size}")
        self.size = size

    def run(self, env: PassOrderEnv) -> PassList:
        return PassList([], env.action_set)


class NoRun:
    pass


class BadVersion:
    version = 3

    def run(self, env: PassOrderEnv) -> PassList:
        return PassList([], env.action_set)


def first_actions(env: PassOrderEnv, count: int = 1) -> PassList:
    return PassList(env.action_names[:count], env.action_set)


an_object = Raises()
a_number = 3
