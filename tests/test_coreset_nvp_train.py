"""The training of Coreset-NVP: targets, the network, stages, and that all of it repeats."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt_bench import (
    BadTraining,
    Label,
    PassList,
    Session,
    Trained,
    TrainJob,
    load_agent,
    make_action_set,
)
from llmopt_bench.labels import write_labels

torch = pytest.importorskip("torch")
pytest.importorskip("pyarrow")

episodes: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.episodes")
candidates: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.candidates")
measure: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.measure")
ranker: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.ranker")
trainer: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.train")

ACTIONS = make_action_set()
URIS = sorted(
    f"bundled-functions-v1/{name}"
    for name in (
        "aes128_modes/mix_columns",
        "aes128_modes/from_hex",
        "aes128_modes/xtime",
        "aho_corasick/ac_init",
        "arena_pool/buddy_refresh",
        "arith_coder/shift_low",
        "arith_coder/learn",
    )
)
BEST = ("gvn-hoist,Oz", "O1,load-store-vectorizer", "sroa,instcombine,simplifycfg")
"""Each is better than the others on one of the functions or more."""
TINY: dict[str, Any] = {
    "lists": 5,
    "candidates": 3,
    "chain": 2,
    "matrix_functions": 7,
    "functions": 7,
    "validation": "bundled-functions-v1",
    "validation_functions": 5,
    "tries": 2,
    "hidden": 8,
    "epochs": 3,
    "batch": 4,
    "nodes": 4,
    "threads": 1,
}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of labels of bundled functions; that -Oz is worse is made up."""
    path = tmp_path_factory.mktemp("labels") / "labels.parquet"
    write_labels(
        path,
        [
            Label(
                uri,
                "1" * 64,
                BEST[number // 2 % 3 if number % 2 else 0],
                3,
                60,
                40,
                39 + number // 6,
                5,
            )
            for number, uri in enumerate(URIS)
        ],
    )
    return str(path)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_SHARD", 2)


def job(
    labels: str,
    out: Path,
    report: Callable[[float, str], None] = lambda done, text: None,
    **changes: Any,
) -> TrainJob:
    given = {"max_minutes": None, "seed": 3, "resume": False}
    given |= {name: changes.pop(name) for name in list(given) if name in changes}
    out.mkdir(exist_ok=True)
    settings = TINY | changes
    return TrainJob(
        agent="coreset-nvp", data=(labels,), out=out, settings=settings, report=report, **given
    )


@pytest.fixture(scope="module")
def trained(labels: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trainer.train(job(labels, tmp_path_factory.mktemp("trained")))


def outcomes(sizes: list[list[int]], oz: list[int], initial: list[int]) -> Any:
    features = np.ones((len(oz), 56), dtype=np.int64)
    uris = tuple(map(str, oz))
    return episodes.Outcomes.of(
        measure.Measured(uris, np.array(sizes), np.array(oz), np.array(initial), features)
    )


def test_the_target_is_the_softmax_of_what_would_be_the_best_value() -> None:
    episode = episodes.Episode(outcomes([[90, 110, 80]], [100], [200]))
    first = episode.target(0.1).exp()[0]
    powers = np.exp([1, -1, 2])  # values 0.1, -0.1, 0.2
    assert first.tolist() == pytest.approx(powers / powers.sum(), abs=1e-6)
    episode.take(torch.tensor([0]))
    # List 1 would leave the best as it is.
    powers = np.exp([-np.inf, 1, 2])
    assert episode.target(0.1).exp()[0].tolist() == pytest.approx(powers / powers.sum(), abs=1e-6)


def test_functions_weigh_what_oz_leaves_until_nothing_improves() -> None:
    episode = episodes.Episode(outcomes([[90, 110], [8, 9]], [100, 10], [200, 8]))
    assert episode.open().tolist() == [100, 0]
    episode.take(torch.tensor([0, 0]))
    assert episode.open().tolist() == [0, 0]


def test_both_divergences_by_hand() -> None:
    said, target = (
        torch.log(torch.tensor([[0.5, 0.5], [0.9, 0.1]])),
        torch.log(torch.tensor([[0.9, 0.1], [0.9, 0.1]])),
    )
    reverse = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    found = episodes.divergence(said, target, "reverse").tolist()
    assert found == pytest.approx([reverse, 0], abs=1e-6)
    forward = episodes.divergence(said, target, "cross-entropy").tolist()
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert forward == pytest.approx([math.log(2), entropy], abs=1e-6)


def test_candidates_are_oz_and_the_most_frequent_lists(labels: str) -> None:
    found, sha256 = candidates.read_train_labels((labels,))
    lists = candidates.frequent_lists(found, 2, ACTIONS)
    assert lists == [PassList.parse(text) for text in ("Oz", BEST[0], BEST[1])]
    assert len(sha256) == 64
    one, two, three = lists
    assert candidates.chains_of([one, two], [one + two]) == [two + one]
    assert len(candidates.chains_of([one, two, three], [])) == 6


def test_samples_are_repeatable_and_begin_alike(labels: str) -> None:
    found, _ = candidates.read_train_labels((labels,))
    sample = candidates.sample_uris(found, 7, 1, improved=False)
    assert sorted(sample) == sorted(URIS)
    assert candidates.sample_uris(found, 3, 1, improved=False) == sample[:3]
    assert candidates.sample_uris(found, 7, 2, improved=False) != sample
    assert sorted(candidates.sample_uris(found, 7, 1, improved=True)) == sorted(URIS[:6])


def test_a_training_gives_a_model_that_the_agents_take(trained: Trained) -> None:
    from searching import Recorder

    assert trained.validation["improvement at 1"] <= trained.validation["improvement of the oracle"]
    for name in ("coreset-nvp", "coreset"):
        env = Recorder(9)
        load_agent(name, model=str(trained.model), tries=2).run(env)
        assert env.meter.compilations == 2


def test_numpy_says_what_pytorch_says(trained: Trained) -> None:
    config: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.config")
    inputs: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.inputs")
    network: Any = importlib.import_module("llmopt_bench.baselines.coreset_nvp.network")
    models: Any = importlib.import_module("llmopt_bench.baselines.models")
    model = models.load_model(trained.model, ranker.KIND, ACTIONS)
    loaded = ranker.load_ranker(trained.model, ACTIONS)
    session = Session(URIS[2])
    vector = inputs.vector_of(session.features("autophase"))[None]
    count = len(loaded.lists)
    theirs = network.ValueNetwork(network.Scaled(vector), count, config.NvpConfig(hidden=8))
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in model.tensors.items()})
    theirs.eval()
    sizes, initial = session.evaluate(loaded.lists), session.initial()
    seen = outcomes([sizes], [session.reference()], [initial])
    episode = episodes.Episode(seen)
    episode.take(torch.tensor([1]))
    with torch.no_grad():
        expected = theirs.rank(theirs.encode(torch.from_numpy(vector)), episode.state)[0].numpy()
    state = inputs.state_of({1: sizes[1]}, initial, count)
    found = loaded.head(np.concatenate([loaded.encode(session), state]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_model(labels: str, trained: Trained, tmp_path: Path) -> None:
    again = trainer.train(job(labels, tmp_path / "again"))
    assert again.model.read_bytes() == trained.model.read_bytes()
    assert again.validation == trained.validation
    other = trainer.train(job(labels, tmp_path / "other", seed=4))
    assert other.model.read_bytes() != trained.model.read_bytes()


def test_a_training_that_was_killed_goes_on(labels: str, trained: Trained, tmp_path: Path) -> None:
    out, seen = tmp_path / "killed", list[str]()

    def killed(done: float, text: str) -> None:
        seen.append(text)
        if text.startswith("train") and seen.count(text) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(job(labels, out, killed))
    shards = sorted(out.glob("train.shards/0*.npz"))
    assert len(shards) == 2
    before = (out / "validation.npz").stat().st_mtime_ns
    resumed = trainer.train(job(labels, out, resume=True))
    assert resumed.model.read_bytes() == trained.model.read_bytes()
    assert (out / "validation.npz").stat().st_mtime_ns == before
    assert not (out / "train.shards").exists()


def test_a_finished_table_and_finished_shards_are_not_measured_again(tmp_path: Path) -> None:
    lists = [PassList.parse(text) for text in BEST]
    path = tmp_path / "t.npz"
    whole = measure.measure(URIS[:4], lists, path, lambda done: None, threads=1)
    shards = tmp_path / "u.shards"
    shards.mkdir()
    measure._save(shards / "00000.npz", measure.measure(URIS[4:6], lists, path, lambda done: None))
    # Both say what the first call measured, not what the URIs would give.
    assert measure.measure(URIS[4:6], lists, path, lambda done: None).uris == tuple(URIS[:4])
    mixed = measure.measure(URIS[3:7], lists, tmp_path / "u.npz", lambda done: None, threads=1)
    assert mixed.uris == (*URIS[:4], *URIS[5:7])
    np.testing.assert_array_equal(mixed.sizes[:4], whole.sizes)


def test_time_that_is_over_ends_every_stage_after_a_shard(labels: str, tmp_path: Path) -> None:
    found = trainer.train(job(labels, tmp_path / "short", max_minutes=1e-6))
    facts = json.loads((tmp_path / "short" / "model.json").read_text("utf-8"))
    assert (facts["functions"], len(facts["curve"])) == (2, 1)
    assert found.model.exists()


def test_progress_never_goes_back(labels: str, tmp_path: Path) -> None:
    shares: list[float] = []
    trainer.train(job(labels, tmp_path / "p", lambda done, text: shares.append(done)))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_tables_of_another_training_are_used(labels: str, trained: Trained, tmp_path: Path) -> None:
    tables = str(trained.model.parent)
    found = trainer.train(job(labels, tmp_path / "more", tables=tables))
    assert found.model.read_bytes() == trained.model.read_bytes()
    assert not list((tmp_path / "more").glob("*.npz"))
    with pytest.raises(BadTraining, match="folder of a training"):
        trainer.train(job(labels, tmp_path / "none", tables=str(tmp_path)))


@pytest.mark.parametrize(
    "wrong", [{"encoder": "cnn"}, {"objective": "mse"}, {"lists": 0}, {"epochs": 0}]
)
def test_bad_settings_are_refused(labels: str, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadTraining, match=next(iter(wrong))):
        trainer.train(job(labels, tmp_path / "bad", **wrong))


def test_labels_must_be_one_file_in_which_something_improves(tmp_path: Path) -> None:
    with pytest.raises(BadTraining, match="one file of labels, got 2"):
        candidates.read_train_labels(("a", "b"))
    path = tmp_path / "flat.parquet"
    write_labels(path, [Label(URIS[0], "1" * 64, "Oz", 1, 60, 40, 40, 5)])
    with pytest.raises(BadTraining, match="smaller than -Oz does, got none among 1"):
        candidates.read_train_labels((str(path),))


@pytest.mark.parametrize("settings", [{"adaptive": False, "objective": "cross-entropy"}])
def test_the_way_of_the_paper_can_be_trained(
    labels: str, trained: Trained, tmp_path: Path, settings: dict[str, Any]
) -> None:
    tables = str(trained.model.parent)
    found = trainer.train(job(labels, tmp_path / "paper", tables=tables, **settings))
    assert not ranker.load_ranker(found.model, ACTIONS).adaptive


def test_a_graph_network_is_trained_and_used(labels: str, trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("torch_geometric")
    from searching import Recorder

    tables = str(trained.model.parent)
    runs = [
        trainer.train(job(labels, tmp_path / name, tables=tables, encoder="gnn"))
        for name in ("one", "two")
    ]
    assert runs[0].model.read_bytes() == runs[1].model.read_bytes()
    env = Recorder(9)
    load_agent("coreset-nvp", model=str(runs[0].model), tries=2).run(env)
    assert env.meter.compilations == 2
    encode = ranker.load_ranker(runs[0].model, ACTIONS).encode
    one, two = (encode(Session(uri)) for uri in URIS[:2])
    assert one.shape == two.shape == (2 * 4 + 4,)
    assert not np.allclose(one, two)
