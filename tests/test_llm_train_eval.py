"""What the answers of a trained model are worth, and that a model learns to answer."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from llm_training import URIS, job_of, module, true_label

from llmopt_bench import BadTraining, PassList, Session, bootstrap_interval, train_settings
from llmopt_bench.labels import write_labels

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("pyarrow")

evaluate, examples, trainer = module("evaluate"), module("examples"), module("trainer")
config, stages, writing = module("config"), module("stages"), module("evaluate_model")
paper_prompt: Any = importlib.import_module("llmopt_bench.agents.llm.prompt").paper_prompt
URI = "bundled-functions-v1/astar_grid/chebyshev"
SENTENCE = "Run passes {} to reduce instruction count from 15 to 4:\n"


def exam() -> Any:
    session = Session(URI)
    ir = session.ir(normalized=True)
    return examples.Exam(URI, ir, session.initial(), session.reference())


def test_a_list_that_can_be_read_is_compiled() -> None:
    found = evaluate._answered((exam(), SENTENCE.format("mem2reg") + "[code]"))
    new = Session(URI).evaluate([PassList(["mem2reg"])])[0]
    assert (found.pass_list, found.new) == ("mem2reg", new)
    assert (found.said_before, found.said_after) == (15, 4)
    assert found.oz < new < found.before


@pytest.mark.parametrize("text", ["", "\n\n", SENTENCE.format("mem2rag"), SENTENCE.format("")])
def test_what_cannot_be_read_leaves_the_function_as_it_was(text: str) -> None:
    found = evaluate._answered((exam(), text))
    assert (found.pass_list, found.new, found.said_after) == (None, found.before, None)


def test_a_prompt_without_room_is_answered_with_oz() -> None:
    found = evaluate._answered((exam(), None))
    assert (found.pass_list, found.new) == ("Oz", found.oz)


def test_scores_by_hand() -> None:
    def answered(text: str | None, passes: str | None, new: int, *said: int) -> Any:
        return evaluate.Answered("u", text, passes, 100, 50, new, *said)

    found = evaluate.scores_of(
        [
            answered("a", "mem2reg", 40, 100, 44),
            answered("b", "Oz", 50, 90, 50),
            answered("c", "sink", 60),
            answered("d", None, 100),
            answered(None, "Oz", 50),
        ]
    )
    assert found.pop("improvement") == pytest.approx(250 / 300 - 1)
    oz, new = [50] * 5, [40, 50, 60, 100, 50]
    interval = found.pop("improvement_low"), found.pop("improvement_high")
    assert interval == bootstrap_interval(oz, new)
    assert interval[0] < 250 / 300 - 1 < interval[1]
    assert found.pop("improvement_with_oz_backup") == pytest.approx(250 / 240 - 1)
    assert found.pop("before_mape") == pytest.approx(0.05)
    assert found.pop("after_mape") == pytest.approx(0.05)
    shares = {"improved": 0.2, "regressed": 0.4, "invalid": 0.2, "too_long": 0.2, "only_oz": 0.4}
    assert found == pytest.approx(shares)


def test_one_answer_has_no_interval() -> None:
    found = evaluate.scores_of([evaluate.Answered("u", "a", "Oz", 100, 50, 40)])
    assert found["improvement"] == pytest.approx(0.25)
    assert "improvement_low" not in found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training on the list O1 alone, without IR."""
    folder = tmp_path_factory.mktemp("trained")
    labels = str(folder / "labels.parquet")
    write_labels(labels, [true_label(uri, "O1") for uri in URIS])
    trainer.train(
        job_of(
            labels,
            folder / "out",
            steps=60,
            rate=1e-2,
            ir_task=0.0,
            validate_every=60,
            checkpoint_minutes=5.0,
            holdout=0,
        )
    )
    return folder / "out"


def answers_in(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "eval" / "answers.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_model_learns_to_answer(trained: Path) -> None:
    answers = answers_in(trained)
    for answer in answers:
        if answer["text"] is not None:
            assert answer["text"].startswith("Run passes O1 to reduce instruction count from")
            assert answer["pass_list"] == "O1"
            assert answer["new"] == Session(answer["uri"]).evaluate([PassList(["O1"])])[0]
    assert sum(answer["text"] is not None for answer in answers) > 1


def copy_of(trained: Path, folder: Path) -> Path:
    return Path(shutil.copytree(trained, folder / "copy"))


def test_the_ir_is_scored_on_demand(trained: Path, tmp_path: Path) -> None:
    trained = copy_of(trained, tmp_path)
    before = answers_in(trained)
    about = json.loads((trained / "eval" / "about.json").read_text())
    assert not [name for name in about["scores"] if name.startswith("ir_")]
    job = job_of("", trained, eval_ir=1)
    evaluate.evaluate(stages.Stages(job, train_settings(job, config.LlmConfig)))
    scores = json.loads((trained / "eval" / "about.json").read_text())["scores"]
    (line,) = (trained / "eval" / "ir.jsonl").read_text().splitlines()
    written = json.loads(line)
    assert answers_in(trained) == before
    assert scores.items() >= about["scores"].items()
    assert scores["ir_functions"] == 1
    # It has learnt to end after the counts.
    assert (written["pass_list"], written["written"]) == ("O1", "")
    assert scores["ir_error_empty"] == 1.0
    assert written["score"]["expected_instructions"] == next(
        answer["new"] for answer in before if answer["uri"] == written["uri"]
    )


def test_the_prompt_is_that_of_the_model(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = copy_of(trained, tmp_path)
    about = evaluate.read_about(trained / "model")
    settings = about["settings"] | {"prompt": "compact"}
    monkeypatch.setattr(evaluate, "read_about", lambda folder: about | {"settings": settings})
    asked: list[str] = []

    def shown(prompt: str, ir: str) -> str:
        asked.append(prompt)
        return "x"

    monkeypatch.setattr(evaluate, "prompt_text", shown)
    job = job_of("", trained, eval_ir=1)
    with pytest.raises(BadTraining, match="no IR of a model with the prompt compact"):
        evaluate.evaluate(stages.Stages(job, train_settings(job, config.LlmConfig)))
    assert asked == []
    job = job_of("", trained)
    evaluate.evaluate(stages.Stages(job, train_settings(job, config.LlmConfig)))
    assert asked == ["compact"] * len(answers_in(trained))


def test_a_model_writes_alike_alone_and_in_a_batch(trained: Path) -> None:
    model = writing.GreedyModel(trained / "model")
    assert model.context == 512
    prompts = [model.tokens(paper_prompt(Session(uri).ir(normalized=True))) for uri in URIS[:3]]
    assert len({len(prompt) for prompt in prompts}) == 3
    alone = [model.write([prompt], [40], "[code]")[0] for prompt in prompts]
    assert model.write(prompts, [40] * 3, "[code]") == alone
    short = model.write(prompts, [3, 40, 1], "[code]")
    assert short[1] == alone[1]
    assert [len(model.tokens(text, begins=False)) for text in short[::2]] == [3, 1]
    assert alone[0].startswith(short[0])


def test_a_model_ends_behind_the_mark(trained: Path) -> None:
    model = writing.GreedyModel(trained / "model")
    prompt = model.tokens(paper_prompt(exam().ir))
    assert model.tokens("Run", begins=False) == model.tokens("Run")[1:]
    assert model.write([prompt], [40], "O1")[0] == "Run passes O1"
