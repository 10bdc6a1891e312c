"""The pipelines of LLVM: what ``clang -O0`` to ``clang -Oz`` do, as agents that spend nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmopt_bench import PassList, PassOrderEnv


@dataclass(frozen=True)
class Pipeline:
    """Answers every program with the pipeline of one optimization level.

    The answer is the action that runs what clang runs at this level. ``default<Oz>`` and its
    like, which are what ``opt`` runs, are other actions with other results.
    """

    version: ClassVar[str] = "1"
    level: str

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the pipeline without any compilation."""
        return PassList([] if self.level == "O0" else [self.level], env.action_set)


O0 = Pipeline("O0")
O1 = Pipeline("O1")
O2 = Pipeline("O2")
O3 = Pipeline("O3")
Os = Pipeline("Os")
Oz = Pipeline("Oz")
