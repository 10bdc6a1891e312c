"""An agent of a third party: as short as one can be, with a setting and a note on usage."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmopt_bench import PassList, PassOrderEnv


@dataclass
class FirstN:
    """Answers with the first ``n`` of a few passes that are good for most programs."""

    n: int = 2
    usage: dict[str, int] = field(default_factory=dict, init=False)

    def run(self, env: PassOrderEnv) -> PassList:
        """Return the answer without any compilation."""
        names = ("mem2reg", "instcombine", "simplifycfg", "globaldce")[: self.n]
        self.usage = {"names": len(names)}
        return PassList(names, env.action_set)
