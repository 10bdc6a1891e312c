"""What is to be gained by the choice among the lists of a portfolio, and who gains how much of it.

    llmopt-bench train llm --out runs/choice --set stage=data --set portfolio=PORTFOLIO ...
    python docs/experiments/llm_choice.py runs/choice [--model FOLDER]

Reads the examples of a training with a portfolio. Prints, for its functions of unseen packages,
what each list makes of all, what the best list of each function makes of it, what gradient boosting
on Autophase features and counts of instructions chooses, for some costs of a regression, and what
the agent `llm` answers at 0 compilations. Functions are drawn by their instructions, so that means
stand for sums over all; "worse" is the share of all functions, each counted alike. Five minutes for
16,000 functions. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from llmopt_bench.agents.llm.agent import LlmAgent
from llmopt_bench.agents.llm.train.examples import Example, read_shards
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from llmopt_bench import Meter, PassOrderEnv, Session

PENALTIES = (0.0, 0.01, 0.03, 0.1)
Numbers = NDArray[np.float64]


def features(example: Example) -> Numbers:
    """Return Autophase features and counts of instructions, as they are and by size."""
    session = Session(example.uri)
    counts = np.r_[session.features("autophase"), session.features("instcount")]
    return np.r_[counts, counts / max(example.before, 1)]


def answered(example: Example, agent: LlmAgent) -> int:
    """Return the instructions once the answer of the agent has run."""
    env = PassOrderEnv(example.uri, meter=Meter(0))
    env.reset(seed=0)
    return env.session.evaluate([agent.run(env)], failure=example.before)[0]


def chosen(known: Numbers, costs: Numbers, new: Numbers, penalty: float) -> NDArray[np.intp]:
    """Return the list that gradient boosting expects to save most, for functions by features.

    Args:
        known: Features of functions to learn from.
        costs: What each list leaves of these.
        new: Features of the functions to choose for.
        penalty: What a list costs more where it is worse than -Oz.
    """
    above = costs - costs[:, :1]
    above += penalty * (above > 0)
    guesses = [np.zeros(len(new))]
    for column in above.T[1:]:
        settings = {"max_iter": 250, "learning_rate": 0.05, "max_leaf_nodes": 15}
        model = HistGradientBoostingRegressor(**settings, min_samples_leaf=40, random_state=0)
        guesses.append(model.fit(known, column).predict(new))
    return np.stack(guesses, 1).argmin(1)


def shares(examples: list[Example]) -> Numbers:
    """Return what each list leaves of each function, as a share of it; -Oz is the first list."""
    return np.array([[size / one.before for size in one.sizes] for one in examples])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a training whose stage data has run")
    parser.add_argument("--model", help="for the agent llm; else the one of the library")
    given = parser.parse_args()
    train, unseen = (list(read_shards(given.folder / "data", n)) for n in ("train", "holdout"))
    before = np.array([one.before for one in unseen], float)
    costs, rows = shares(unseen), np.arange(len(unseen))
    oz = costs[:, 0]

    def report(name: str, found: Numbers) -> None:
        worse = ((found > oz) / before).sum() / (1 / before).sum()
        sys.stdout.write(f"| {name} | {oz.sum() / found.sum() - 1:+.2%} | {worse:.1%} |\n")
        sys.stdout.flush()

    sys.stdout.write("| | over -Oz | worse |\n| --- | ---: | ---: |\n")
    for number in range(1, costs.shape[1]):
        report(f"list {number}", costs[:, number])
    report("the best list of each function", costs.min(1))
    with ThreadPoolExecutor() as pool:
        known, new = (np.stack(list(pool.map(features, some))) for some in (train, unseen))
    for penalty in PENALTIES:
        picks = chosen(known, shares(train), new, penalty)
        report(f"gradient boosting, a regression costs {penalty:.0%}", costs[rows, picks])
    agent = LlmAgent(model=given.model)
    report("`llm`", np.array([answered(one, agent) for one in unseen]) / before)


if __name__ == "__main__":
    main()
