"""Files of models, and the perceptron that runs them without PyTorch."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from llmopt_bench import BadModel, make_action_set

models: Any = importlib.import_module("llmopt_bench.baselines.models")
mlp: Any = importlib.import_module("llmopt_bench.baselines.mlp")

ACTIONS = make_action_set("passes-v1")
TENSORS = {
    "net.0.weight": np.array([[1, -1], [2, 0], [0, 3]], dtype=np.float32),
    "net.0.bias": np.array([0, -1, 0.5], dtype=np.float32),
    "net.1.weight": np.array([[1, 1, -2]], dtype=np.float32),
    "net.1.bias": np.array([10], dtype=np.float32),
}


def saved(path: Path, kind: str = "toy", **changes: Any) -> Path:
    options = {"action_set": ACTIONS} | changes
    models.save_model(path, kind, TENSORS, {"lists": [["Oz"]], "seed": 3}, **options)
    return path


def rewritten(path: Path, **facts: Any) -> Path:
    """Change facts of a model in place, as another version of the library might write them."""
    found = models.load_model(path, "toy", ACTIONS)
    save_file(dict(found.tensors), path, metadata={"llmopt_bench": json.dumps(found.facts | facts)})
    return path


def test_a_model_comes_back_with_its_facts(tmp_path: Path) -> None:
    model = models.load_model(saved(tmp_path / "m.safetensors"), "toy", ACTIONS)
    assert model.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(model.tensors[name], tensor)
    assert model.facts["lists"] == [["Oz"]]
    assert model.facts["action_set"] == "passes-v1"
    assert model.facts["action_set_sha256"] == ACTIONS.sha256
    assert list(tmp_path.iterdir()) == [tmp_path / "m.safetensors"]


def test_a_model_is_for_everybody_to_read(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert saved(tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_view_is_saved_as_what_it_shows(tmp_path: Path) -> None:
    turned = {"t": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    models.save_model(tmp_path / "m", "toy", turned, {}, action_set=ACTIONS)
    found = models.load_model(tmp_path / "m", "toy", ACTIONS)
    np.testing.assert_array_equal(found.tensors["t"], turned["t"])


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"expected kind 'autophase', got 'toy'. Train one with"):
        models.load_model(saved(tmp_path / "m"), "autophase", ACTIONS)


def test_a_model_of_another_action_set_is_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(ACTIONS, name="passes-v0")
    with pytest.raises(BadModel, match=r"expected action set .*passes-v0.*got .*passes-v1.*again"):
        models.load_model(saved(tmp_path / "m"), "toy", other)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"features_sha256": "0" * 64}, "expected features autophase"),
        ({"features_sha256": None}, "expected features autophase"),
        ({"features": None}, "expected the name of its features"),
        ({"features": "no-such"}, "no-such"),
        ({"format": 2}, "expected format 1, got 2. It needs another version"),
        ({"action_set_sha256": "0" * 64}, "expected action set"),
    ],
)
def test_facts_that_do_not_fit_are_refused(
    tmp_path: Path, facts: dict[str, Any], text: str
) -> None:
    with pytest.raises(BadModel, match=text):
        models.load_model(rewritten(saved(tmp_path / "m"), **facts), "toy", ACTIONS)


@pytest.mark.parametrize("features", ["instcount", "graph"])
def test_other_features_are_named(tmp_path: Path, features: str) -> None:
    saved(tmp_path / "m", features=features)
    assert models.load_model(tmp_path / "m", "toy", ACTIONS).facts["features"] == features


def test_a_model_of_another_version_of_graphs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "m", features="graph")
    monkeypatch.setattr(models, "GRAPH_VERSION", "graph-0")
    with pytest.raises(BadModel, match="expected features graph"):
        models.load_model(tmp_path / "m", "toy", ACTIONS)


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"x" * 100, b"\xff" * 8])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(BadModel, match="expected a model"):
        models.load_model(tmp_path / "m", "toy", ACTIONS)


def test_a_missing_or_cut_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="expected a model"):
        models.load_model(tmp_path / "none", "toy", ACTIONS)
    whole = saved(tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(whole[:-8])
    with pytest.raises(BadModel, match="expected a model"):
        models.load_model(tmp_path / "m", "toy", ACTIONS)


def test_tensors_of_others_are_refused(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "m")
    with pytest.raises(BadModel, match="expected a model of this library"):
        models.load_model(tmp_path / "m", "toy", ACTIONS)


def test_perceptron_by_hand() -> None:
    net = mlp.Mlp.of(TENSORS, "net.", "relu")
    # Hidden: 1*3-2=1, 2*3-1=5, 3*2+0.5=6.5, none below 0; out: 1+5-13+10.
    np.testing.assert_allclose(net(np.array([3, 2], dtype=np.float32)), [3.0])
    # Hidden: -1 and -1 and 3.5; the first two are cut off.
    np.testing.assert_allclose(net(np.array([0, 1], dtype=np.float32)), [3.0])
    both = net(np.array([[3, 2], [0, 0]], dtype=np.float32))
    np.testing.assert_allclose(both, [[3.0], [9.0]])
    smooth = mlp.Mlp.of(TENSORS, "net.", "tanh")(np.array([0, 0], dtype=np.float32))
    np.testing.assert_allclose(smooth, [10 + np.tanh(-1.0) - 2 * np.tanh(0.5)], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "activation", "error"),
    [
        ({}, "gelu", ValueError),
        ({"net.0.bias": np.zeros(2, np.float32)}, "relu", ValueError),
        ({"net.1.weight": np.zeros((1, 4), np.float32)}, "relu", ValueError),
    ],
)
def test_perceptrons_that_do_not_fit(
    changes: dict[str, Any], activation: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        mlp.Mlp.of(TENSORS | changes, "net.", activation)
    with pytest.raises(KeyError):
        mlp.Mlp.of(TENSORS, "other.", "relu")
