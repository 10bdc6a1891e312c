"""Agents with a second phase."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

TRIES = 3


class TwoPhases:
    """Tries random lists, then those of all programs, as far as the budget goes."""

    version = "1"

    def __init__(self, pause: float = 0) -> None:
        self.pause = pause
        self.usage: dict[str, int | float] = {}

    def run(self, env: PassOrderEnv) -> PassList:
        self.usage = {"first": 1, "calls": 1}
        names = env.action_names
        lists = [
            PassList([names[i] for i in env.np_random.integers(len(names), size=6)], env.action_set)
            for _ in range(TRIES)
        ]
        values = env.evaluate(lists, failure=env.initial + 1)
        return lists[values.index(min(values))]

    def broadcast(self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList]) -> PassList:
        time.sleep(self.pause)
        self.usage = {"tried": len(lists), "draw": int(env.np_random.integers(1000)), "calls": 1}
        value = min(value for _, value in env.curve.points)
        for one in lists[: env.meter.remaining]:
            found = env.evaluate(one, failure=env.initial + 1)
            if found < value:
                best, value = one, found
        return best


class OneFails(TwoPhases):
    """Raises in its first phase on one program."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self.program = program

    def run(self, env: PassOrderEnv) -> PassList:
        if env.program.uri == self.program:
            raise RuntimeError("not this one")
        return super().run(env)


class BadSecond(TwoPhases):
    """Has an answer, and then loses it."""

    def broadcast(self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList]) -> object:  # type: ignore[override]
        env.evaluate(best)
        return 42


class KilledInSecond(TwoPhases):
    """Loses its process in its second phase."""

    def broadcast(self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList]) -> PassList:
        os.kill(os.getpid(), signal.SIGKILL)
        return best


class Shouts:
    """Answers with what the other programs answered, first of all."""

    usage: ClassVar[dict[str, int | float]] = {}

    def __init__(self, log: str) -> None:
        self.log = log

    def run(self, env: PassOrderEnv) -> str:
        return "gvn" if "a" in env.program.uri.rpartition("/")[2] else "sroa"

    def broadcast(self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList]) -> PassList:
        line = f"{best.compact}|{' '.join(one.compact for one in lists)}\n"
        with Path(self.log).open("a", encoding="utf-8") as stream:
            stream.write(line)
        return best


def first_only(env: PassOrderEnv) -> PassList:
    """Answer as ``TwoPhases`` does in its first phase."""
    return TwoPhases().run(env)
