"""Minimisation of the best list of a search, as in arXiv 2309.07062."""

from __future__ import annotations

from llmopt_bench import PassList, PassOrderEnv

from .trials import Trials


def minimise(env: PassOrderEnv, trials: Trials) -> None:
    """Drop single passes from the best list until none can be dropped, or the phase is over."""
    before = None
    while trials.best != before and not trials.over:
        before = trials.best
        kept = list(range(len(before)))
        for place in env.np_random.permutation(kept):
            fewer = [i for i in kept if i != place]
            shorter = PassList([before[i] for i in fewer], env.action_set)
            trials.values([shorter])
            if trials.best == shorter:  # it is no worse, and ties go to the shorter list
                kept = fewer
