"""The last stage: the model answers functions that nothing was learnt from.

It answers up to the counts, greedily, and the list is compiled. ``clang -Oz`` is known for every
function, but the model does not see it. Two kinds of functions have no list of the model:

- A prompt that leaves no room in the context counts as answered with the action ``Oz``.
- A function whose answer cannot be read or compiled stays as it was, unoptimised.

All functions of the validation are answered, whatever ``max_minutes`` says: scores on a part of
them could not be compared. On demand the model goes on, for some of them, and writes the IR
(``evaluate_ir``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from llmopt_bench import (
    BadTraining,
    PassList,
    Session,
    bootstrap_interval,
    make_action_set,
    overall_improvement,
)

from ..prompt import make_prompt
from .data import VALIDATION
from .evaluate_ir import Head, scores_of_ir, write_ir
from .evaluate_model import GreedyModel
from .examples import Exam, read_rows
from .stages import Stages, read_about
from .tokenizer import CODE
from .tokens import prompt_text

ROOM = 160
"""Tokens for an answer up to the counts: a list of 70 passes."""
_OZ = "Oz"
_FAILED = -1


@dataclass(frozen=True)
class Answered:
    """What became of a function."""

    uri: str
    text: str | None
    """What the model wrote; None if its prompt is too long."""
    pass_list: str | None
    """None if the text cannot be read, or the list cannot be compiled."""
    before: int
    oz: int
    new: int
    said_before: int | None = None
    said_after: int | None = None


def evaluate(stages: Stages) -> None:
    """Write the answers, and what they are worth.

    Raises:
        BadTraining: The model is to write IR, and has learnt from a prompt without.
    """
    torch.set_num_threads(stages.threads)
    ir_functions = stages.config.eval_ir
    folder, model_folder = stages.folder("eval"), stages.results("train")
    about = read_about(model_folder)
    # Of the model, whatever the settings of this command are.
    prompt = about["settings"].get("prompt", "paper")
    if ir_functions and prompt != "paper":
        raise BadTraining(
            f"expected no IR of a model with the prompt {prompt}, got {ir_functions} functions to "
            "write it for. Train one with the prompt paper."
        )
    exams = read_rows(stages.results("data") / VALIDATION, Exam)
    model = GreedyModel(model_folder)
    report = stages.report("eval")
    answers: list[Answered] = []
    with ThreadPoolExecutor(stages.threads) as pool:
        for some in _texts(exams, model, prompt, stages.config.eval_batch):
            answers += pool.map(_answered, some)
            report(len(answers) / len(exams), f"{len(answers):,} of {len(exams):,} functions")
    answers.sort(key=lambda answered: answered.uri)
    _write_lines(folder / "answers.jsonl", [asdict(answered) for answered in answers])
    scores = scores_of(answers)
    if ir_functions:
        heads = _heads(exams, answers)[:ir_functions]
        written = write_ir(model, heads, stages.config.eval_batch, report)
        _write_lines(folder / "ir.jsonl", [one.to_json() for one in written])
        scores |= scores_of_ir(written)
    facts = {"finished": about["finished"], "functions": len(answers), "scores": scores}
    stages.finish("eval", facts)


def scores_of(answers: Sequence[Answered]) -> dict[str, float]:
    """Return what answers are worth; shares and errors as fractions.

    ``improvement_low`` and ``improvement_high`` are the ends of the bootstrapped 95 % interval of
    ``improvement``; a single answer has none.
    """
    count = len(answers)
    oz, new = [a.oz for a in answers], [a.new for a in answers]
    backed = [min(a.oz, a.new) for a in answers]
    shares = {
        "improved": sum(a.new < a.oz for a in answers),
        "regressed": sum(a.new > a.oz for a in answers),
        "invalid": sum(a.pass_list is None for a in answers),
        "too_long": sum(a.text is None for a in answers),
        "only_oz": sum(a.pass_list == _OZ for a in answers),
    }
    scores = {"improvement": overall_improvement(oz, new)}
    if count > 1:
        scores["improvement_low"], scores["improvement_high"] = bootstrap_interval(oz, new)
    scores["improvement_with_oz_backup"] = overall_improvement(oz, backed)
    scores |= {name: number / count for name, number in shares.items()}
    read = [a for a in answers if a.pass_list is not None]
    errors = {
        "before_mape": [(a.said_before, a.before) for a in read],
        "after_mape": [(a.said_after, a.new) for a in read],
    }
    for name, pairs in errors.items():
        known = [(said, true) for said, true in pairs if said is not None and true]
        if known:
            scores[name] = sum(abs(said - true) / true for said, true in known) / len(known)
    return scores


def _texts(
    exams: Sequence[Exam], model: GreedyModel, prompt: str, batch: int
) -> Iterator[list[tuple[Exam, str | None]]]:
    """Yield functions with what the model writes about each, some at a time."""
    prompts = [model.tokens(prompt_text(prompt, exam.ir)) for exam in exams]
    most = model.context - ROOM
    fits = [number for number, prompt in enumerate(prompts) if len(prompt) <= most]
    yield [(exams[number], None) for number in sorted(set(range(len(exams))) - set(fits))]
    fits.sort(key=lambda number: len(prompts[number]))
    for start in range(0, len(fits), batch):
        some = fits[start : start + batch]
        texts = model.write([prompts[number] for number in some], [ROOM] * len(some), CODE)
        yield [(exams[n], text) for n, text in zip(some, texts, strict=True)]


def _heads(exams: Sequence[Exam], answers: Sequence[Answered]) -> list[Head]:
    """Return the answers with a list of the model that compiles, in the order of the functions."""
    answer_of = {answered.uri: answered for answered in answers}
    heads = []
    for exam in exams:
        answered = answer_of[exam.uri]
        if answered.text is not None and answered.pass_list is not None:
            heads.append(Head(exam.uri, exam.ir, answered.pass_list, answered.text))
    return heads


def _write_lines(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _answered(exam_and_text: tuple[Exam, str | None]) -> Answered:
    """Read an answer and compile its list."""
    exam, text = exam_and_text
    actions = make_action_set()
    said: tuple[int | None, int | None] = None, None
    if text is None:
        passes: PassList | None = PassList([_OZ], actions)
    else:
        answer = make_prompt("paper").parse(text.partition(CODE)[0], actions)
        # Whatever is wrong with the counts: only the list is run.
        passes = None if answer.dropped else answer.passes
        said = answer.before, answer.after
    new = _FAILED if passes is None else Session(exam.uri).evaluate([passes], failure=_FAILED)[0]
    if new == _FAILED or passes is None:
        return Answered(exam.uri, text, None, exam.before, exam.oz, exam.before)
    return Answered(exam.uri, text, passes.compact, exam.before, exam.oz, new, *said)
