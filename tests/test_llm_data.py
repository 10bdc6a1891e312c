"""The data of a language model: examples from labels, the tokenizer, files of tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_training import LISTS, URIS, job_of, label_file, module, true_label

from llmopt_bench import BadTraining, PassList, Session, make_action_set
from llmopt_bench.labels import write_labels

pytest.importorskip("pyarrow")
pytest.importorskip("tokenizers")
transformers: Any = pytest.importorskip("transformers")

data, examples, tokenizer = module("data"), module("examples"), module("tokenizer")
token_files, tokens, trainer = module("token_files"), module("tokens"), module("trainer")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    return label_file(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def made(labels: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of the first three stages, each run by itself."""
    out = tmp_path_factory.mktemp("made")
    for stage in ("data", "tokenizer", "tokens"):
        trainer.train(job_of(labels, out, stage=stage))
    return out


@pytest.fixture(scope="module")
def learnt(made: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(made / "tokenizer")


def rows(made: Path) -> list[Any]:
    folder = made / "data"
    return [row for part in tokens.PARTS for row in examples.read_shards(folder, part)]


def test_examples_are_what_the_compiler_makes_of_the_functions(made: Path) -> None:
    found = {row.uri: row for row in rows(made)}
    assert sorted(found) == URIS
    for number, uri in enumerate(URIS):
        session = Session(uri)
        assert (found[uri].ir, found[uri].before) == (
            session.ir(normalized=True),
            session.initial(),
        )
        passes = PassList.parse(LISTS[number % 3])
        session.apply(passes)
        after = session.ir(normalized=True), session.instruction_count
        assert (found[uri].optimised, found[uri].after) == after
        assert found[uri].pass_list == passes.compact


def test_the_validation_has_counts_and_no_list(made: Path) -> None:
    exams = examples.read_rows(made / "data" / data.VALIDATION, examples.Exam)
    assert len(exams) == 4
    for exam in exams:
        session = Session(exam.uri)
        assert (exam.before, exam.oz) == (session.initial(), session.reference())
        assert exam.ir == session.ir(normalized=True)


def test_packages_are_kept_apart_whole(labels: str) -> None:
    some = [true_label(uri, "Oz") for uri in URIS]
    for most in range(5):
        train, holdout = data.split(some, most)
        assert sorted(train + holdout) == some
        assert most - 1 <= len(holdout) <= most
        packages = [{label.uri.split("/")[1] for label in part} for part in (train, holdout)]
        assert not packages[0] & packages[1]


def test_labels_that_this_machine_does_not_confirm_are_left_out(tmp_path: Path) -> None:
    good = true_label(URIS[0], "Oz")
    others = [true_label(uri, "Oz") for uri in URIS[1:3]]
    wrong = [
        replace(others[0], best=others[0].best + 1),
        replace(others[1], program_sha256="1" * 64),
    ]
    path = tmp_path / "labels.parquet"
    write_labels(path, [good, *wrong])
    trainer.train(job_of(str(path), tmp_path / "out", stage="data", holdout=0))
    assert [row.uri for row in rows(tmp_path / "out")] == [URIS[0]]
    about = json.loads((tmp_path / "out" / "data" / "about.json").read_text())
    assert (about["examples"], about["left_out"]) == ({"train": 1, "holdout": 0}, 2)
    write_labels(path, wrong)
    with pytest.raises(BadTraining, match="expected functions that this machine has"):
        trainer.train(job_of(str(path), tmp_path / "none", stage="data"))


def test_shards_that_are_there_are_not_made_again(
    labels: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_SHARD", 3)
    seen: list[str] = []

    def killed(done: float, text: str) -> None:
        seen.append(text)
        if text == "data: train, 6 of 8 functions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(job_of(labels, tmp_path, killed, stage="data"))
    first = tmp_path / "data" / "train-00000.parquet"
    before = first.stat().st_mtime_ns
    assert not (tmp_path / "data" / "train-00002.parquet").exists()
    trainer.train(job_of(labels, tmp_path, stage="data", resume=True))
    assert first.stat().st_mtime_ns == before
    assert rows(tmp_path) == rows(made)


def test_time_that_is_over_ends_with_fewer_functions(
    labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_SHARD", 3)
    trainer.train(job_of(labels, tmp_path, stage="data", max_minutes=1e-9))
    assert len(list(examples.read_shards(tmp_path / "data", "train"))) == 3


def test_texts_survive_the_tokenizer(made: Path, learnt: Any) -> None:
    for row in rows(made):
        passes = PassList.parse(row.pass_list)
        prompt = tokens.prompt_text("paper", row.ir)
        answer = tokens.paper_answer(passes, row.before, row.after, row.optimised)
        odd = 'call void @sink(ptr @"O1 x", i32 %Oz) ; inline \u00e9\u4e16\n\ttab  spaces , . \'s'
        for text in (prompt, answer, odd):
            ids = learnt(text, add_special_tokens=False)["input_ids"]
            assert learnt.decode(ids) == text
            assert learnt(text)["input_ids"] == [learnt.bos_token_id, *ids]


def test_every_action_is_one_token_in_an_answer(learnt: Any) -> None:
    names = make_action_set().names
    passes = PassList(names)
    text = tokens.paper_answer(passes, 30, 20, "ret void")
    found = learnt.convert_ids_to_tokens(learnt(text, add_special_tokens=False)["input_ids"])
    first = found.index(names[0])
    listed = found[first : first + 2 * len(names) - 1]
    assert listed[::2] == list(names)
    assert set(listed[1::2]) == {","}
    assert found.count("[code]") == found.count("[/code]") == 1


def test_what_differs_from_line_to_line_is_cut_out(learnt: Any) -> None:
    text = "%12 = load i32, ptr @table, align 4\n"
    found = [learnt.decode([number]) for number in learnt(text)["input_ids"][1:]]
    assert "".join(found) == text
    assert not any("%1" in piece or "@t" in piece for piece in found)
    assert any(piece.strip().count(" ") > 0 for piece in found), found


def test_a_vocabulary_without_room_is_refused(made: Path, labels: str, tmp_path: Path) -> None:
    small = job_of(labels, tmp_path, stage="tokenizer", inputs=str(made), vocabulary=392)
    with pytest.raises(BadTraining, match="vocabulary: expected 393 or more, got 392"):
        trainer.train(small)


def test_files_of_tokens_hold_the_texts(made: Path, learnt: Any) -> None:
    about = json.loads((made / "tokens" / "about.json").read_text())
    assert about["dtype"] == "uint16"
    assert about["vocabulary"] == len(learnt)
    assert about["ids"]["begin"] == learnt.bos_token_id
    assert about["ids"]["end"] == learnt.eos_token_id
    for part in tokens.PARTS:
        file = token_files.TokenFile.open(made / "tokens", part, about["dtype"])
        known = list(examples.read_shards(made / "data", part))
        assert len(known) == len(file.spans) == about["parts"][part]["examples"]
        for row, (begin, answer, ir, end) in zip(known, file.spans, strict=True):
            passes = PassList.parse(row.pass_list)
            counts = row.before, row.after
            head = tokens.paper_answer(passes, *counts, None)
            assert file.tokens[begin] == learnt.bos_token_id
            assert learnt.decode(file.tokens[begin + 1 : answer]) == tokens.prompt_text(
                "paper", row.ir
            )
            assert learnt.decode(file.tokens[answer:ir]) == head
            whole = tokens.paper_answer(passes, *counts, row.optimised)
            assert head + learnt.decode(file.tokens[ir:end]) == whole


def test_no_example_is_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(b"")
    np.save(tmp_path / "train.npy", np.empty((0, 4), np.int64))
    np.save(tmp_path / "train.costs.npy", np.empty((0, 0), np.float32))
    np.save(tmp_path / "train.worse.npy", np.empty((0, 0), np.float32))
    np.save(tmp_path / "train.before.npy", np.empty(0, np.int64))
    assert len(token_files.TokenFile.open(tmp_path, "train", "uint16").tokens) == 0


def test_a_stage_says_which_other_it_needs(labels: str, made: Path, tmp_path: Path) -> None:
    with pytest.raises(BadTraining, match="--set stage=data"):
        trainer.train(job_of(labels, tmp_path, stage="tokenizer"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(BadTraining, match=r"stage data: .* has its results"):
        trainer.train(job_of(labels, made, stage="data"))
