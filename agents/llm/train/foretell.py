"""What lists may be expected to leave of a function, in place of what they leave of it.

Which list is best for one function is decided by a few instructions, most of which nobody could
have foretold. A small model that learns from such outcomes, each function seen a few times, follows
the noise. So gradient boosting first foretells them from the features of a function, and the model
learns from what is foretold: distillation (Hinton et al., arXiv 1503.02531). A function is
foretold from functions of other packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmopt_bench import BadTraining, Session

from .examples import Example
from .portfolio import package_of

FOLDS = 5
_SETTINGS = {"learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 40, "random_state": 0}

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """What lists are expected to do to functions."""

    costs: Numbers
    """(functions, lists): the share of the instructions that remains, in all (``foretold``) or
    beyond what -Oz leaves (``foretell``)."""
    worse: Numbers
    """(functions, lists): how probable it is that more remains than with -Oz."""


@dataclass(frozen=True)
class Outcomes:
    """What lists did to functions, and what is known of these beforehand."""

    uris: Sequence[str]
    features: Numbers
    """(functions, features)."""
    costs: Numbers
    """(functions, lists): the share of the instructions that remains."""


def outcomes(examples: Iterable[Example], threads: int) -> Outcomes:
    """Return the outcomes of examples, which are not kept: their IR takes memory.

    Args:
        examples: With sizes.
        threads: That count features.
    """
    known = [(one.uri, one.before, one.sizes) for one in examples]
    uris = [uri for uri, _, _ in known]
    before = np.array([max(count, 1) for _, count, _ in known], float)[:, None]
    with ThreadPoolExecutor(threads) as pool:
        counts = np.array(list(pool.map(_counts, uris)), float)
    features = np.concatenate([before, counts, counts / before], 1)
    return Outcomes(uris, features, np.array([sizes for _, _, sizes in known], float) / before)


def _counts(uri: str) -> NDArray[np.int64]:
    session = Session(uri)
    return np.concatenate([session.features("autophase"), session.features("instcount")])


def foretold(known: Outcomes, oz: int) -> Expected:
    """Return what is expected of functions, each foretold from other packages than its own.

    Args:
        known: The functions.
        oz: The number of the list that is -Oz.

    Raises:
        BadTraining: All functions are of one package, or scikit-learn is not installed.
    """
    packages = sorted({package_of(uri) for uri in known.uris})
    if len(packages) < 2:
        raise BadTraining(
            "foretold: expected functions of two or more packages, each foretold from the others, "
            f"got {len(known.uris)} of {packages}. Raise functions, or leave the setting away."
        )
    shuffled = np.random.default_rng(0).permutation(len(packages))
    fold_of = {packages[place]: number % FOLDS for number, place in enumerate(shuffled)}
    folds = np.array([fold_of[package_of(uri)] for uri in known.uris])
    found = Expected(known.costs.copy(), np.zeros_like(known.costs))
    for fold in np.unique(folds):
        inside = folds == fold
        one = foretell(known.features[~inside], known.costs[~inside], known.features[inside], oz)
        found.costs[inside] = known.costs[inside, oz, None] + one.costs
        found.worse[inside] = one.worse
    return found


def foretell(features: Numbers, costs: Numbers, new: Numbers, oz: int) -> Expected:
    """Return what lists are expected to leave of new functions beyond what -Oz leaves.

    Args:
        features: Of the functions to learn from.
        costs: What each list leaves of them.
        new: Features of the functions to foretell for.
        oz: The number of the list that is -Oz.

    Raises:
        BadTraining: scikit-learn is not installed.
    """
    try:
        from sklearn import ensemble  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise BadTraining(
            f"foretold: expected scikit-learn, got: {error}. pip install scikit-learn"
        ) from error
    above = costs - costs[:, oz, None]
    found = Expected(np.zeros((len(new), above.shape[1])), np.zeros((len(new), above.shape[1])))
    for place in range(above.shape[1]):
        column = above[:, place]
        if not column.any():  # -Oz itself
            continue
        regressor: Any = ensemble.HistGradientBoostingRegressor(max_iter=200, **_SETTINGS)
        found.costs[:, place] = regressor.fit(features, column).predict(new)
        found.worse[:, place] = _chance(ensemble, features, column > 0, new)
    return found


def _chance(ensemble: Any, features: Numbers, worse: NDArray[np.bool_], new: Numbers) -> Any:
    """Return how probable something is of new functions."""
    if worse.all() or not worse.any():  # there is nothing to tell apart
        return float(worse.any())
    classifier = ensemble.HistGradientBoostingClassifier(max_iter=150, **_SETTINGS)
    return classifier.fit(features, worse).predict_proba(new)[:, 1]
