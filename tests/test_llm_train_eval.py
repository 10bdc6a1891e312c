"""What the answers of a trained model are worth, and that a model learns to answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llm_training import URIS, job_of, module, true_label

from llmopt_bench import PassList, Session
from llmopt_bench.labels import write_labels

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("pyarrow")

evaluate, examples, trainer = module("evaluate"), module("examples"), module("trainer")
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
    assert found.pop("improvement_with_oz_backup") == pytest.approx(250 / 240 - 1)
    assert found.pop("before_mape") == pytest.approx(0.05)
    assert found.pop("after_mape") == pytest.approx(0.05)
    shares = {"improved": 0.2, "regressed": 0.4, "invalid": 0.2, "too_long": 0.2, "only_oz": 0.4}
    assert found == pytest.approx(shares)


def test_a_model_learns_to_answer(tmp_path: Path) -> None:
    labels, out = str(tmp_path / "labels.parquet"), tmp_path / "out"
    write_labels(labels, [true_label(uri, "O1") for uri in URIS])
    trainer.train(
        job_of(
            labels,
            out,
            steps=60,
            rate=1e-2,
            ir_task=0.0,
            validate_every=60,
            checkpoint_minutes=5.0,
            holdout=0,
        )
    )
    text = (out / "eval" / "answers.jsonl").read_text()
    answers = [json.loads(line) for line in text.splitlines()]
    for answer in answers:
        if answer["text"] is not None:
            assert answer["text"].startswith("Run passes O1 to reduce instruction count from")
            assert answer["pass_list"] == "O1"
            assert answer["new"] == Session(answer["uri"]).evaluate([PassList(["O1"])])[0]
    assert sum(answer["text"] is not None for answer in answers) > 1
