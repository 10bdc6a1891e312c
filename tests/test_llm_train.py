"""The training of a language model: its stages, and that it goes on exactly."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from llm_training import TINY, job_of, label_file, module

from llmopt_bench import BadTraining, Trained, TrainJob, training

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytest.importorskip("pyarrow")

config, trainer = module("config"), module("trainer")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    return label_file(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def trained(labels: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All stages in one go."""
    return trainer.train(job_of(labels, tmp_path_factory.mktemp("all") / "out"))


@pytest.fixture(scope="module")
def inputs(trained: Trained) -> str:
    """The folder with the results of all stages."""
    return str(trained.model.parent)


def test_all_stages_give_a_model_that_transformers_loads(trained: Trained) -> None:
    assert trained.model.name == "model"
    model = transformers.AutoModelForCausalLM.from_pretrained(trained.model)
    learnt = transformers.AutoTokenizer.from_pretrained(trained.model)
    assert model.dtype == torch.bfloat16
    assert (trained.model / "model.safetensors").stat().st_mode & 0o444 == 0o444
    assert model.num_parameters() < 1_000_000
    assert model.config.vocab_size == 640
    assert model.config.eos_token_id == learnt.eos_token_id
    about = json.loads((trained.model / "about.json").read_text())
    assert about["finished"]
    assert about["step"] == TINY["steps"]
    assert about["parameters"] == model.num_parameters()
    assert set(about["settings"]) < set(asdict(config.LlmConfig()))
    scores = trained.validation
    assert scores["invalid"] == 1.0 - scores["too_long"] > 0  # four steps teach nothing
    assert {"improvement", "improvement_with_oz_backup", "regressed"} <= set(scores)


def test_the_log_has_what_happened(trained: Trained) -> None:
    lines = log_of(trained.model.parent)
    losses = [line for line in lines if "loss" in line]
    assert [line["step"] for line in losses] == [1, 2, 3, 4]
    for line in losses:
        assert 0 < line["loss"] < 2 * math.log(640)
        assert line["tokens_per_second"] > 0
        assert 0 < line["model_flop_utilisation"] < 1
    unseen = [line for line in lines if "validation_loss" in line]
    assert [line["step"] for line in unseen] == [2, 4]
    assert all(line["validation_list_loss"] > 0 for line in unseen)


def test_a_finished_training_is_not_done_again(labels: str, trained: Trained) -> None:
    before = (trained.model / "model.safetensors").stat().st_mtime_ns
    again = trainer.train(job_of(labels, trained.model.parent, resume=True))
    assert again == trained
    assert (trained.model / "model.safetensors").stat().st_mtime_ns == before


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


def killed_at(text: str, times: int = 1) -> Callable[[float, str], None]:
    """Return a report that interrupts when a text comes for so many times."""
    seen = []

    def report(done: float, told: str) -> None:
        seen.append(text in told)
        if seen[-1] and sum(seen) == times:
            raise KeyboardInterrupt

    return report


def training_of(labels: str, out: Path, inputs: str, **changes: Any) -> TrainJob:
    return job_of(labels, out, stage="train", inputs=inputs, **changes)


def test_an_interrupted_training_goes_on_bit_for_bit(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    whole = trainer.train(training_of(labels, tmp_path / "whole", inputs, steps=7))
    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        trainer.train(training_of(labels, out, inputs, steps=7, report=killed_at("step 5")))
    assert (out / "checkpoint.pt").exists()
    assert not (out / "model" / "about.json").exists()
    resumed = trainer.train(training_of(labels, out, inputs, steps=7, resume=True))
    for name in ("model/model.safetensors", "model/tokenizer.json", "model/config.json"):
        assert (out / name).read_bytes() == (whole.model.parent / name).read_bytes()
    states = [torch.load(p / "checkpoint.pt", weights_only=True) for p in (out, tmp_path / "whole")]
    for one, other in zip(*(state["optimizer"]["state"].values() for state in states), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    losses = [
        [(line["step"], line.get("loss"), line.get("validation_loss")) for line in log_of(folder)]
        for folder in (out, tmp_path / "whole")
    ]
    assert losses[0] == losses[1]
    assert resumed.model == out / "model"


def test_stages_share_one_folder(
    labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load_trainer", lambda name: trainer.train)
    stopped = job_of(labels, tmp_path, killed_at("data: train"), stage="data")
    with pytest.raises(KeyboardInterrupt):
        training.train(stopped)
    with pytest.raises(BadTraining, match="Leave out --resume"):
        training.train(job_of(labels, tmp_path, stage="tokenizer", resume=True))
    with pytest.raises(BadTraining, match="cannot resume: settings"):
        training.train(job_of(labels, tmp_path, stage="data", vocabulary=700, resume=True))
    training.train(job_of(labels, tmp_path, stage="data", resume=True))
    for stage in config.STAGES[1:]:
        trained = training.train(job_of(labels, tmp_path, stage=stage))
    assert trained.model == tmp_path / "model"
    assert trained.validation["too_long"] > 0
    for stage in config.STAGES:
        asked = json.loads((tmp_path / f"training-{stage}.json").read_text())
        assert asked["settings"]["stage"] == stage


def test_tokens_of_another_tokenizer_are_refused(labels: str, inputs: str, tmp_path: Path) -> None:
    trainer.train(job_of(labels, tmp_path, stage="tokenizer", inputs=inputs, vocabulary=600))
    with pytest.raises(BadTraining, match="expected tokens of the tokenizer in"):
        trainer.train(training_of(labels, tmp_path, inputs))


def test_a_refused_stage_leaves_the_folder_free(
    labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load_trainer", lambda name: trainer.train)
    training.train(job_of(labels, tmp_path, stage="data"))
    refused = {
        "holds a training": {"stage": "data"},
        "has its results": {"stage": "data", "resume": True},
        "vocabulary: expected 393 or more": {"stage": "tokenizer", "vocabulary": 300},
        "Did you mean 'vocabulary'": {"stage": "tokenizer", "vocabulari": 640},
        "--set stage=tokens": {"stage": "train"},
    }
    for message, settings in refused.items():
        with pytest.raises(BadTraining, match=message):
            training.train(job_of(labels, tmp_path, **settings))
        assert {path.name for path in tmp_path.iterdir()} == {"data", "training-data.json"}
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").touch()
    with pytest.raises(BadTraining, match="got one that is not finished"):
        training.train(job_of(labels, tmp_path, stage="tokenizer"))


def test_without_resume_a_checkpoint_is_not_used(labels: str, inputs: str, tmp_path: Path) -> None:
    first = trainer.train(training_of(labels, tmp_path, inputs, steps=2, seed=1))
    first.model.rename(tmp_path / "earlier")
    again = trainer.train(training_of(labels, tmp_path, inputs, steps=2, seed=2))
    weights = [path / "model.safetensors" for path in (tmp_path / "earlier", again.model)]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    assert [line["step"] for line in log_of(tmp_path) if "loss" in line] == [1, 2]


def test_a_training_begins_with_the_weights_of_a_model(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    start = Path(inputs) / "model"
    still = {"start": str(start), "rate": 1e-12, "decay": 0.0, "steps": 1}
    found = trainer.train(training_of(labels, tmp_path / "out", inputs, **still)).model
    load = transformers.AutoModelForCausalLM.from_pretrained
    pairs = zip(load(start).parameters(), load(found).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    about = json.loads((found / "about.json").read_text())
    weights = (start / "model.safetensors").read_bytes()
    assert about["start_sha256"] == hashlib.sha256(weights).hexdigest()
    assert "start" not in about["settings"]


def test_the_tokenizer_is_that_of_the_model_to_begin_with(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    start, out = Path(inputs) / "model", tmp_path / "out"
    trainer.train(job_of(labels, out, stage="data"))
    trainer.train(job_of(labels, out, stage="tokenizer", start=str(start), vocabulary=900))
    taken = (out / "tokenizer" / "tokenizer.json").read_bytes()
    assert taken == (start / "tokenizer.json").read_bytes()
    about = json.loads((out / "tokenizer" / "about.json").read_text())
    before = json.loads((Path(inputs) / "tokenizer" / "about.json").read_text())
    assert {name: before[name] for name in about} == about
    trainer.train(job_of(labels, out, stage="tokens"))
    trainer.train(job_of(labels, out, stage="train", start=str(start), steps=1))


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_a_model_without_a_tokenizer_gives_none(
    labels: str, tmp_path: Path, content: str | None
) -> None:
    start, out = tmp_path / "start", tmp_path / "out"
    start.mkdir()
    if content is not None:
        (start / "tokenizer.json").write_text(content)
        (start / "tokenizer_config.json").write_text("{}")
    with pytest.raises(BadTraining, match="a model and its tokenizer to start with"):
        trainer.train(job_of(labels, out, stage="tokenizer", start=str(start)))
    assert not (out / "tokenizer" / "tokenizer.json").exists()


def test_what_a_training_cannot_begin_with_is_refused(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    def refused(folder: Path, message: str, **changes: Any) -> None:
        job = training_of(labels, tmp_path / "out", inputs, start=str(folder), **changes)
        with pytest.raises(BadTraining, match=message):
            trainer.train(job)

    refused(tmp_path / "missing", "expected a folder with a model to start with")
    model = Path(inputs) / "model"
    refused(model, "expected a model with hidden_size 128, got 64", size="micro")
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (other / "tokenizer.json").write_text("{}")
    refused(other, "expected the tokenizer of the tokens")
    (other / "tokenizer.json").unlink()
    (other / "model.safetensors").unlink()
    refused(other, "expected a folder with a model to start with")


def test_another_seed_gives_another_model(labels: str, inputs: str, tmp_path: Path) -> None:
    found = [
        trainer.train(training_of(labels, tmp_path / str(seed), inputs, steps=1, seed=seed))
        for seed in (1, 2)
    ]
    one, two = [(each.model / "model.safetensors").read_bytes() for each in found]
    assert one != two


def test_time_that_is_over_leaves_a_model_and_the_rest_for_later(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    out = tmp_path / "short"
    short = trainer.train(training_of(labels, out, inputs, steps=3, max_minutes=1e-9))
    about = json.loads((short.model / "about.json").read_text())
    assert (about["step"], about["finished"]) == (1, False)
    trainer.train(training_of(labels, out, inputs, steps=3, resume=True))
    about = json.loads((short.model / "about.json").read_text())
    assert (about["step"], about["finished"]) == (3, True)


def test_a_training_without_steps_fills_its_minutes(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    done: list[float] = []
    job = training_of(
        labels,
        tmp_path,
        inputs,
        report=lambda share, text: done.append(share),
        steps=None,
        max_minutes=0.05,
    )
    trainer.train(job)
    about = json.loads((tmp_path / "model" / "about.json").read_text())
    assert about["finished"]
    assert about["seconds"] == pytest.approx(3.0, abs=1.5)
    assert done == sorted(done)
    known = [line["rate"] for line in log_of(tmp_path) if "rate" in line]
    assert known[-1] < 0.3 * max(known)


def test_a_training_must_know_its_end_and_its_data(
    labels: str, inputs: str, tmp_path: Path
) -> None:
    with pytest.raises(BadTraining, match="neither steps nor minutes"):
        trainer.train(training_of(labels, tmp_path / "a", inputs, steps=None))
    with pytest.raises(BadTraining, match="examples of at most 8 tokens, got none"):
        trainer.train(training_of(labels, tmp_path / "b", inputs, context=8))
    out = tmp_path / "c"
    short = trainer.train(training_of(labels, out, inputs, steps=3, max_minutes=1e-9))
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    state["plan"]["data"] = "of another folder"
    torch.save(state, out / "checkpoint.pt")
    assert short.model.exists()
    with pytest.raises(BadTraining, match="expected a training on the tokens that are there now"):
        trainer.train(training_of(labels, out, inputs, steps=3, resume=True))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stage", "dat", "stage: expected one of data, tokenizer"),
        ("size", "8b", "size: expected one of tiny, micro, mini, small, 7b, got '8b'"),
        ("steps", 0, "steps: expected 1 or more, or null, got 0"),
        ("ir_task", 1.5, "ir_task: expected a share"),
        ("list_weight", 0.0, "list_weight: expected more than 0"),
        ("micro_tokens", 100, "micro_tokens: expected at least the context, 512"),
    ],
)
def test_settings_are_checked(
    labels: str, tmp_path: Path, name: str, value: Any, message: str
) -> None:
    with pytest.raises(BadTraining, match=message):
        trainer.train(job_of(labels, tmp_path, **{name: value}))


_WITHOUT_CORE = """
import importlib, sys
from pathlib import Path


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "llmopt_bench._core" or name.partition(".")[0] == "pyarrow":
            raise ImportError(f"{name} is blocked")


sys.meta_path.insert(0, Refuse())
from llmopt_bench import TrainJob

train = importlib.import_module("llmopt_bench.agents.llm.train.trainer").train
settings = {SETTINGS}
job = TrainJob("llm", (), Path({OUT!r}), None, 3, False, settings, lambda done, text: None)
print(train(job).model.name)
"""


def test_a_machine_without_the_core_can_train(inputs: str, tmp_path: Path) -> None:
    settings = TINY | {"stage": "train", "inputs": inputs, "steps": 1}
    script = _WITHOUT_CORE.replace("{SETTINGS}", repr(settings))
    script = script.replace("{OUT!r}", repr(str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout == "model\n", done.stderr
    assert (tmp_path / "model" / "model.safetensors").exists()
