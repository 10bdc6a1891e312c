"""Training: jobs, settings, folders and the command, with a trainer made for the test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from counting_trainer import Config

from llmopt_bench import BadTraining, TrainJob, train_settings, training
from llmopt_bench.cli import main
from llmopt_bench.errors import UnknownName


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = {
        "counter": "counting_trainer:count_up",
        "broken": "no_such_module:train",
        "number": "counting_trainer:not_callable",
    }
    points = [EntryPoint(name, value, training.GROUP) for name, value in targets.items()]

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == training.GROUP
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(training, "entry_points", entry_points)


def job(out: Path, settings: Mapping[str, Any] | None = None, **changes: Any) -> TrainJob:
    fields = {
        "agent": "counter",
        "data": ("a", "b"),
        "out": out,
        "max_minutes": None,
        "seed": 1,
        "resume": False,
        "settings": settings or {},
        "report": lambda done, text: None,
    }
    return TrainJob(**(fields | changes))


def test_training_makes_its_folder_and_says_what_it_is_for(tmp_path: Path) -> None:
    trained = training.train(job(tmp_path / "deep" / "t", {"steps": 5}))
    assert trained.validation["count"] == 5
    written = json.loads((tmp_path / "deep" / "t" / training.JOB_FILE).read_text())
    assert written == {"agent": "counter", "data": ["a", "b"], "seed": 1, "settings": {"steps": 5}}


def test_resume_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    training.train(job(tmp_path))
    again = training.train(job(tmp_path, resume=True, max_minutes=2.5))
    assert again.validation["count"] == 6


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": 2}, "cannot resume: seed is 2 now, and 1 in"),
        ({"data": ("a",)}, "cannot resume: data is"),
        ({"settings": {"steps": 4}}, "cannot resume: settings is"),
    ],
)
def test_another_training_is_not_resumed(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    training.train(job(tmp_path))
    with pytest.raises(BadTraining, match=text):
        training.train(job(tmp_path, resume=True, **changes))
    assert (tmp_path / "count").read_text() == "3"


def test_a_training_is_not_overwritten(tmp_path: Path) -> None:
    training.train(job(tmp_path))
    with pytest.raises(BadTraining, match=r"holds a training. Use --resume"):
        training.train(job(tmp_path))


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(BadTraining, match=r"got none\. Leave out --resume"):
        training.train(job(tmp_path / "none", resume=True))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_folder_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / training.JOB_FILE).write_text(text)
    with pytest.raises(BadTraining, match="Use another folder"):
        training.train(job(tmp_path, resume=True))


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_time_must_be_above_zero(tmp_path: Path, minutes: float) -> None:
    with pytest.raises(BadTraining, match="max_minutes: expected more than 0"):
        training.train(job(tmp_path / "t", max_minutes=minutes))
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"step": 3}, "unknown setting of counter 'step'. Did you mean 'steps'"),
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"steps": 2.5}, "setting steps: expected int"),
        ({"steps": True}, "setting steps: expected int"),
        ({"rate": "fast"}, "setting rate: expected float"),
        ({"quick": 1}, "setting quick: expected bool"),
        ({"name": 5}, "setting name: expected str"),
    ],
)
def test_settings_are_checked(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(BadTraining, match=text):
        train_settings(job(tmp_path, settings), Config)


def test_a_refused_training_leaves_its_folder_free(tmp_path: Path) -> None:
    with pytest.raises(BadTraining, match="steps must be"):
        training.train(job(tmp_path, {"steps": 0}))
    training.train(job(tmp_path))
    with pytest.raises(BadTraining, match="cannot resume: settings"):
        training.train(job(tmp_path, {"steps": 0}, resume=True))
    assert (tmp_path / training.JOB_FILE).exists()


def test_a_missing_package_of_a_trainer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wants_torch.py").write_text("raise ModuleNotFoundError('no', name='torch.nn')")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("learner", "wants_torch:train", training.GROUP)
    monkeypatch.setattr(training, "entry_points", lambda **_: [point])
    with pytest.raises(BadTraining, match=r"needs torch.*pip install 'llmopt-bench\[rl\]'"):
        training.load_trainer("learner")


def test_a_whole_number_is_a_fraction(tmp_path: Path) -> None:
    config = train_settings(job(tmp_path, {"rate": 2, "path": "x"}), Config)
    assert config == Config(rate=2.0, path="x")
    assert isinstance(config.rate, float)


def test_trainers_that_do_not_work(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'counter'"):
        training.load_trainer("countr")
    with pytest.raises(BadTraining, match=r"cannot import it: .*'no_such_module'"):
        training.load_trainer("broken")
    with pytest.raises(BadTraining, match="expected a function of a job"):
        training.load_trainer("number")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["train", *arguments])
    return int(end.value.code or 0)


def test_command_ends_with_the_model_and_its_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t"
    code = run("counter", "--out", str(out), "--set", "steps=7", "--data", "a, b")
    said = capsys.readouterr()
    assert code == 0
    assert said.out == f"model: {out / 'model'}; validation: overall_improvement +1.25 %, count 7\n"
    assert "25.0% counting" in said.err


def test_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("counter", "--out", str(tmp_path / "t"), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == str(tmp_path / "t" / "model")
    assert document["validation"] == {"overall_improvement": 0.0125, "count": 3}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("countr",), "unknown trainer 'countr'"),
        (("counter", "--resume"), "--resume needs --out"),
        (("counter", "--set", "steps"), "expected SETTING=VALUE, got 'steps'"),
        (("counter", "--set", "stepz=1", "--out", "OUT"), "unknown setting of counter 'stepz'"),
        (("counter", "--max-minutes", "-3", "--out", "OUT"), "expected more than 0, got -3"),
    ],
)
def test_bad_usage(
    arguments: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = [str(tmp_path / "o") if word == "OUT" else word for word in arguments]
    assert run(*placed) == 2
    assert text in capsys.readouterr().err
