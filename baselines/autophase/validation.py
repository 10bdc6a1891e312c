"""What a policy is worth on programs that it has not learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from llmopt_bench import PassOrderEnv, Program, overall_improvement

from .agent import follow
from .policy import Policy


def validate(policy: Policy, programs: Sequence[Program]) -> dict[str, float]:
    """Let a policy act on each program, as the agent does.

    Returns:
        ``overall_improvement``: sum(Oz) / sum(new) - 1; ``mean_over_oz``: mean of
        (Oz - new) / Oz; ``compilations``: mean; ``programs``: how many.
    """
    env = PassOrderEnv(programs=programs, observation="instruction_count")
    oz: list[int] = []
    new: list[int] = []
    compilations = 0
    over_oz = 0.0
    for program in programs:
        env.reset(options={"program": program})
        follow(policy, env)
        oz.append(env.oz)
        new.append(env.curve.best)
        over_oz += (oz[-1] - new[-1]) / oz[-1]
        compilations += env.meter.compilations
    return {
        "overall_improvement": overall_improvement(oz, new),
        "mean_over_oz": over_oz / len(programs),
        "compilations": compilations / len(programs),
        "programs": len(programs),
    }
