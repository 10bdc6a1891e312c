"""Random search: the baseline that every other agent has to beat at the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv

from .start import start_of

_BATCH = 32


@dataclass(frozen=True)
class RandomSearch:
    """Evaluates random pass lists until the budget is spent, and answers with the best.

    The first compilation goes to -Oz. Then each list has a random length up to ``max_passes`` and
    actions drawn uniformly. Every second list runs after -Oz, because few lists that start from
    nothing reach it; with ``after_oz=False`` no list does and -Oz is not tried, which is the
    random search of the literature. Ties go to the shorter list, then to the earlier one.
    """

    version: ClassVar[str] = "1"
    max_passes: int = 45
    after_oz: bool = True
    patience: int | None = None
    """Stop after this many lists without a better one; None to spend the whole budget."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.max_passes < 1:
            raise ValueError(f"max_passes must be 1 or more, got {self.max_passes}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be 1 or more, or null, got {self.patience}")

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the best list found; the empty list if nothing makes the program smaller."""
        if env.meter.budget is None and self.patience is None:
            raise ValueError("random search needs a budget or a patience, or it would never end")
        nothing = PassList([], env.action_set)
        oz = start_of(env.action_set) if self.after_oz else nothing
        best = (env.initial, 0, nothing)
        idle, tried = 0, 0
        while batch := self._batch(env, oz, tried, idle):
            for candidate, value in zip(batch, _values(env, batch), strict=True):
                found = (value, len(candidate), candidate)
                idle = 0 if value < best[0] else idle + 1
                best = min(best, found, key=lambda entry: entry[:2])
            tried += len(batch)
        return best[2]

    def _batch(self, env: PassOrderEnv, oz: PassList, tried: int, idle: int) -> list[PassList]:
        room = [_BATCH]
        if env.meter.remaining is not None:
            room.append(env.meter.remaining)
        if self.patience is not None:
            room.append(self.patience - idle)
        return [self._candidate(env, oz, tried + i) for i in range(min(room))]

    def _candidate(self, env: PassOrderEnv, oz: PassList, number: int) -> PassList:
        if number == 0 and oz:
            return oz
        length = env.np_random.integers(1, self.max_passes + 1)
        drawn = env.np_random.integers(len(env.action_names), size=length)
        tail = [env.action_names[i] for i in drawn]
        return oz + tail if number % 2 else PassList(tail, env.action_set)


def _values(env: PassOrderEnv, batch: list[PassList]) -> list[int]:
    # A list on which LLVM fails must not end the search; it is as good as doing nothing.
    return env.evaluate(batch, failure=env.initial)
