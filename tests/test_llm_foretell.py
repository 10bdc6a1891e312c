"""What gradient boosting foretells of the lists of a portfolio."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from llm_training import URIS, module

from llmopt_bench import BadTraining, Session

foretell = module("foretell")
examples = module("examples")


def made(count: int, seed: int) -> tuple[Any, Any]:
    """Functions whose feature says whether the second list saves a tenth or costs a twentieth."""
    features = np.random.default_rng(seed).random((count, 2))
    costs = np.full((count, 3), 0.5)
    costs[:, 1] += np.where(features[:, 0] > 0.5, -0.1, 0.05)
    costs[:, 2] += 0.2
    return features, costs


def test_what_features_tell_is_foretold() -> None:
    pytest.importorskip("sklearn")
    new, costs = made(50, 1)
    found = foretell.foretell(*made(400, 0), new, 0)
    clear = abs(new[:, 0] - 0.5) > 0.05
    assert found.costs[:, 0].tolist() == [0] * 50
    assert found.costs[clear, 1] == pytest.approx(costs[clear, 1] - 0.5, abs=0.01)
    assert found.costs[:, 2] == pytest.approx(np.full(50, 0.2))
    assert (found.worse[clear, 1] > 0.5).tolist() == (costs[clear, 1] > 0.5).tolist()
    assert (found.worse[:, 0].max(), found.worse[:, 2].min()) == (0, 1)


def test_a_function_is_foretold_from_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The features say which package it is, and all packages come up once."""
    uris = [f"corpus-v1/package{number % 7}/file.c/{number}" for number in range(35)]
    features = np.array([[number % 7] for number in range(35)], float)
    costs = np.tile([0.5, 0.4], (35, 1))
    seen: list[int] = []

    def foretell_apart(known: Any, costs: Any, new: Any, oz: int) -> Any:
        assert len(known) == len(costs) == 35 - len(new)
        assert not set(known.flatten()) & set(new.flatten())
        seen.extend(new.flatten())
        return foretell.Expected(np.tile([0, -0.2], (len(new), 1)), np.zeros((len(new), 2)))

    monkeypatch.setattr(foretell, "foretell", foretell_apart)
    found = foretell.foretold(foretell.Outcomes(uris, features, costs), 0)
    assert sorted(seen) == sorted(features.flatten())
    assert found.costs == pytest.approx(np.tile([0.5, 0.3], (35, 1)))


def test_a_single_package_cannot_be_foretold() -> None:
    uris = [f"corpus-v1/package/file.c/{number}" for number in range(5)]
    known = foretell.Outcomes(uris, np.zeros((5, 1)), np.ones((5, 2)))
    with pytest.raises(BadTraining, match=r"two or more packages.*got 5 of .*corpus-v1/package"):
        foretell.foretold(known, 0)


def test_outcomes_are_those_of_the_examples() -> None:
    some = [examples.Example(uri, "", "Oz", 20, 10, "", [10, 5]) for uri in URIS[:3]]
    found = foretell.outcomes(iter(some), 2)
    assert found.uris == URIS[:3]
    assert found.costs.tolist() == [[0.5, 0.25]] * 3
    counted = np.concatenate(
        [Session(URIS[1]).features(name) for name in ("autophase", "instcount")]
    )
    assert found.features[1].tolist() == [20, *counted, *(counted / 20)]


def test_without_scikit_learn_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(BadTraining, match="pip install scikit-learn"):
        foretell.foretell(*made(10, 0), np.zeros((1, 2)), 0)
