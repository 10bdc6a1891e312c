"""Learning which list of a portfolio is best for a function, from compact IR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_training import TINY, job_of, module

from llmopt_bench import BadTraining, PassList, Session

portfolio = module("portfolio")
trainer = module("trainer")
examples = module("examples")
LISTS = [["Oz"], ["sroa<modify-cfg>", "simplifycfg"], ["instcombine<no-verify-fixpoint>"]]
SETTINGS: dict[str, Any] = {
    "prompt": "compact",
    "ir_task": 0.0,
    "functions": 8,
    "context": 1024,
    "micro_tokens": 1024,
}


def written(folder: Path, content: object = LISTS) -> str:
    path = folder / "portfolio.json"
    path.write_text(json.dumps(content))
    return str(path)


def job(folder: Path, out: str = "out", **changes: Any) -> Any:
    given = SETTINGS | {"portfolio": written(folder)} | changes
    return job_of("bundled-functions-v1", folder / out, **given)


def rows(out: Path) -> list[Any]:
    return [
        row for part in ("train", "holdout") for row in examples.read_shards(out / "data", part)
    ]


def test_examples_have_the_best_list_and_what_each_list_gives(tmp_path: Path) -> None:
    trainer.train(job(tmp_path, stage="data"))
    found = rows(tmp_path / "out")
    assert len(found) == len({row.uri for row in found}) == 8
    for row in found:
        session = Session(row.uri)
        sizes = session.evaluate([PassList(names) for names in LISTS])
        assert list(row.sizes) == sizes
        assert (row.before, row.after) == (session.initial(), min(sizes))
        assert PassList.parse(row.pass_list).names == tuple(LISTS[sizes.index(min(sizes))])
        assert row.optimised == ""
    about = json.loads((tmp_path / "out" / "data" / "about.json").read_text())
    assert about["portfolio"] == [",".join(names) for names in LISTS]
    assert about["datasets"] == ["bundled-functions-v1"]


def test_large_functions_are_drawn_more_often(tmp_path: Path) -> None:
    stages = module("stages").Stages(job(tmp_path, functions=40), config(tmp_path, 40))
    drawn = [Session(item.uri).initial() for item in portfolio.drawn(stages).functions]
    uris = list(module("data").make_dataset("bundled-functions-v1").uris())[::20]
    assert np.mean(drawn) > 1.3 * np.mean([Session(uri).initial() for uri in uris])


def config(folder: Path, functions: int) -> Any:
    path = written(folder)
    given = TINY | SETTINGS | {"portfolio": path, "functions": functions}
    return module("config").LlmConfig(**given)


def test_all_stages_and_the_same_again(tmp_path: Path) -> None:
    trained = trainer.train(job(tmp_path, holdout=2, totals_repeats=2))
    assert set(trained.validation) > {"improvement", "regressed", "invalid"}
    log = (tmp_path / "out" / "train.jsonl").read_text()
    assert '"validation_improvement"' in log
    assert '"validation_regressed"' in log
    trainer.train(job(tmp_path, "again", holdout=2, totals_repeats=2))
    weights = [tmp_path / out / "model" / "model.safetensors" for out in ("out", "again")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    tokens = json.loads((tmp_path / "out" / "tokens" / "about.json").read_text())
    assert (tokens["oz"], len(set(tokens["first"])), tokens["prompt"]) == (0, 3, "compact")
    costs = np.load(tmp_path / "out" / "tokens" / "train.costs.npy")
    assert not list((tmp_path / "out" / "tokens").glob("totals.*.npy"))
    facts = json.loads((tmp_path / "out" / "model" / "about.json").read_text())
    assert facts["examples"] == 3 * 6
    assert costs.shape == (6, 3)
    assert (costs <= 1.5).all()


@pytest.mark.parametrize(
    "content",
    [[], [["Oz"]], [["Oz"], ["Oz", "gvn"]], [["Oz"], []], [["Oz"], ["no-such-pass"]], 3, [3, 4]],
)
def test_what_is_no_portfolio_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(BadTraining, match="expected a JSON list of two or more lists"):
        portfolio.read_portfolio(Path(written(tmp_path, content)))


def test_a_portfolio_that_is_not_there_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadTraining, match=r"missing\.json"):
        trainer.train(job(tmp_path, stage="data", portfolio=str(tmp_path / "missing.json")))
    assert not list((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"ir_task": 0.5}, "ir_task: expected 0"),
        ({"functions": None}, "functions: expected"),
        ({"portfolio": None, "totals_repeats": 1}, "totals_repeats: expected 0"),
        ({"prompt": "paper", "totals_repeats": 1}, "totals_repeats: expected 0"),
    ],
)
def test_settings_that_do_not_fit_together(
    tmp_path: Path, setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadTraining, match=message):
        trainer.train(job(tmp_path, **setting))


def test_a_cost_of_regressions_needs_oz(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    without = written(tmp_path / "without", LISTS[1:])
    with pytest.raises(BadTraining, match="regression_cost: expected 0 without"):
        trainer.train(job(tmp_path, portfolio=without, regression_cost=0.1))
    assert not (tmp_path / "out" / "model").exists()


def test_what_is_foretold_takes_the_place_of_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    trained = trainer.train(job(tmp_path, holdout=2, foretold=True, regression_cost=5.0))
    assert set(trained.validation) > {"improvement", "regressed", "invalid"}
    place = tmp_path / "out" / "tokens"
    measured, foretold = (np.load(place / f"{part}.costs.npy") for part in ("holdout", "train"))
    found = [row for row in rows(tmp_path / "out")]
    real = np.array([np.array(row.sizes) / row.before for row in found])
    assert measured == pytest.approx(real[6:], abs=1e-6)
    assert foretold[:, 0] == pytest.approx(real[:6, 0], abs=1e-6)  # -Oz itself
    assert foretold[:, 1:] != pytest.approx(real[:6, 1:], abs=1e-3)
    assert np.load(place / "train.worse.npy")[:, 0].tolist() == [0] * 6
    assert json.loads((place / "about.json").read_text())["foretold"]


def test_what_is_foretold_needs_oz(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    without = written(tmp_path / "without", LISTS[1:])
    with pytest.raises(BadTraining, match="foretold: expected a portfolio that has the list Oz"):
        trainer.train(job(tmp_path, portfolio=without, foretold=True))
    assert not (tmp_path / "out" / "tokens" / "about.json").exists()
