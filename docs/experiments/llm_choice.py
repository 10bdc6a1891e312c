"""What is to be gained by the choice among the lists of a portfolio, and who gains how much of it.

    llmopt-bench train llm --out runs/choice --set stage=data --set portfolio=PORTFOLIO ...
    python docs/experiments/llm_choice.py runs/choice [--model FOLDER]

Reads the examples of a training with a portfolio. Prints, for its functions of unseen packages,
what each list makes of all, what the best list of each function makes of it, what gradient boosting
on Autophase features and counts of instructions chooses, for some costs of a regression in
instructions, and what the agent `llm` answers at 0 compilations. Functions are drawn by their
instructions, so that means stand for sums over all; "worse" is the share of all functions, each
counted alike. Five minutes for 16,000 functions. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from llmopt_bench.agents.llm.agent import LlmAgent
from llmopt_bench.agents.llm.train.examples import Example, read_shards
from llmopt_bench.agents.llm.train.foretell import foretell, outcomes
from numpy.typing import NDArray

from llmopt_bench import Meter, PassOrderEnv

THREADS = 2
PENALTIES = (0, 4, 8, 15, 30, 60)
Numbers = NDArray[np.float64]


def answered(example: Example, agent: LlmAgent) -> int:
    """Return the instructions once the answer of the agent has run."""
    env = PassOrderEnv(example.uri, meter=Meter(0))
    env.reset(seed=0)
    return env.session.evaluate([agent.run(env)], failure=example.before)[0]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a training whose stage data has run")
    parser.add_argument("--model", help="for the agent llm; else the one of the library")
    given = parser.parse_args()
    unseen = list(read_shards(given.folder / "data", "holdout"))
    train, new = (
        outcomes(some, THREADS) for some in (read_shards(given.folder / "data", "train"), unseen)
    )
    before = np.array([one.before for one in unseen], float)
    costs, rows = new.costs, np.arange(len(unseen))
    oz = costs[:, 0]

    def report(name: str, found: Numbers) -> None:
        worse = ((found > oz) / before).sum() / (1 / before).sum()
        sys.stdout.write(f"| {name} | {oz.sum() / found.sum() - 1:+.2%} | {worse:.1%} |\n")
        sys.stdout.flush()

    sys.stdout.write("| | over -Oz | worse |\n| --- | ---: | ---: |\n")
    for number in range(1, costs.shape[1]):
        report(f"list {number}", costs[:, number])
    report("the best list of each function", costs.min(1))
    expected = foretell(train.features, train.costs, new.features, 0)
    for penalty in PENALTIES:
        picks = (expected.costs + penalty * expected.worse / before[:, None]).argmin(1)
        report(f"gradient boosting, a regression costs {penalty} instructions", costs[rows, picks])
    agent = LlmAgent(model=given.model)
    report("`llm`", np.array([answered(one, agent) for one in unseen]) / before)


if __name__ == "__main__":
    main()
