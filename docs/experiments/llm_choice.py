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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from llmopt_bench.agents.llm.agent import LlmAgent
from llmopt_bench.agents.llm.train.examples import Example, read_shards
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from llmopt_bench import Meter, PassOrderEnv, Session

PENALTIES = (0, 4, 8, 15, 30, 60)
SETTINGS = {"learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 40, "random_state": 0}
Numbers = NDArray[np.float64]


def features(example: Example) -> Numbers:
    """Return Autophase features and counts of instructions, as they are and by size."""
    session = Session(example.uri)
    counts = np.r_[session.features("autophase"), session.features("instcount")]
    return np.r_[example.before, counts, counts / max(example.before, 1)]


def answered(example: Example, agent: LlmAgent) -> int:
    """Return the instructions once the answer of the agent has run."""
    env = PassOrderEnv(example.uri, meter=Meter(0))
    env.reset(seed=0)
    return env.session.evaluate([agent.run(env)], failure=example.before)[0]


def foretold(known: Numbers, costs: Numbers, new: Numbers) -> tuple[Numbers, Numbers]:
    """Return what each list costs over -Oz, and how probably it is worse, for new functions.

    Args:
        known: Features of functions to learn from.
        costs: What each list leaves of these.
        new: Features of the functions to foretell for.
    """
    above = costs - costs[:, :1]
    shape = (len(new), above.shape[1])
    more, worse = np.zeros(shape), np.zeros(shape)
    for place, column in enumerate(above.T[1:], 1):
        regressor = HistGradientBoostingRegressor(max_iter=200, **SETTINGS).fit(known, column)
        classifier = HistGradientBoostingClassifier(max_iter=150, **SETTINGS)
        more[:, place] = regressor.predict(new)
        worse[:, place] = classifier.fit(known, column > 0).predict_proba(new)[:, 1]
    return more, worse


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
    more, worse = foretold(known, shares(train), new)
    for penalty in PENALTIES:
        picks = (more + penalty * worse / before[:, None]).argmin(1)
        report(f"gradient boosting, a regression costs {penalty} instructions", costs[rows, picks])
    agent = LlmAgent(model=given.model)
    report("`llm`", np.array([answered(one, agent) for one in unseen]) / before)


if __name__ == "__main__":
    main()
