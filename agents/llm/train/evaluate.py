"""The last stage: the model answers functions that nothing was learnt from.

It answers up to the counts, greedily, and the list is compiled. ``clang -Oz`` is known for every
function, but the model does not see it. Two kinds of functions have no list of the model:

- A prompt that leaves no room in the context counts as answered with the action ``Oz``.
- A function whose answer cannot be read or compiled stays as it was, unoptimised.

All functions of the validation are answered, whatever ``max_minutes`` says: scores on a part of
them could not be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from llmopt_bench import PassList, Session, make_action_set

from ..prompt import make_prompt, paper_prompt
from .data import VALIDATION
from .examples import Exam, read_rows
from .network import without_bars
from .stages import Stages, read_about
from .tokenizer import CODE

ROOM = 64
"""Tokens for an answer up to the counts: a list of 20 passes."""
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
    """Write the answers, and what they are worth."""
    torch.set_num_threads(stages.threads)
    folder, model_folder = stages.folder("eval"), stages.results("train")
    exams = read_rows(stages.results("data") / VALIDATION, Exam)
    report = stages.report("eval")
    answers: list[Answered] = []
    with ThreadPoolExecutor(stages.threads) as pool:
        for some in _texts(exams, model_folder, stages.config.eval_batch):
            answers += pool.map(_answered, some)
            report(len(answers) / len(exams), f"{len(answers):,} of {len(exams):,} functions")
    answers.sort(key=lambda answered: answered.uri)
    lines = "".join(json.dumps(asdict(answered)) + "\n" for answered in answers)
    (folder / "answers.jsonl").write_text(lines, "utf-8")
    scores = scores_of(answers)
    finished = read_about(model_folder)["finished"]
    stages.finish("eval", {"finished": finished, "functions": len(answers), "scores": scores})


def scores_of(answers: Sequence[Answered]) -> dict[str, float]:
    """Return what answers are worth; shares and errors as fractions."""
    count = len(answers)
    oz, new = sum(a.oz for a in answers), sum(a.new for a in answers)
    backed = sum(min(a.oz, a.new) for a in answers)
    shares = {
        "improved": sum(a.new < a.oz for a in answers),
        "regressed": sum(a.new > a.oz for a in answers),
        "invalid": sum(a.pass_list is None for a in answers),
        "too_long": sum(a.text is None for a in answers),
        "only_oz": sum(a.pass_list == _OZ for a in answers),
    }
    scores = {"improvement": oz / max(new, 1) - 1}
    scores["improvement_with_oz_backup"] = oz / max(backed, 1) - 1
    scores |= {name: number / max(count, 1) for name, number in shares.items()}
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
    exams: Sequence[Exam], folder: Path, batch: int
) -> Iterator[list[tuple[Exam, str | None]]]:
    """Yield functions with what the model writes about each, some at a time."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
    with without_bars():
        model: Any = LlamaForCausalLM.from_pretrained(folder)
    # The weights are bfloat16, which most processors multiply slower.
    model.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32).eval()
    prompts = [tokenizer(paper_prompt(exam.ir))["input_ids"] for exam in exams]
    most = model.config.max_position_embeddings - ROOM
    fits = [number for number, prompt in enumerate(prompts) if len(prompt) <= most]
    yield [(exams[number], None) for number in sorted(set(range(len(exams))) - set(fits))]
    fits.sort(key=lambda number: len(prompts[number]))
    stop = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(CODE)]
    for start in range(0, len(fits), batch):
        some = fits[start : start + batch]
        given = tokenizer.pad({"input_ids": [prompts[number] for number in some]})
        given = {name: torch.tensor(rows, device=device) for name, rows in given.items()}
        width = given["input_ids"].shape[1]
        with torch.no_grad():
            found = model.generate(
                **given,
                do_sample=False,
                max_new_tokens=ROOM,
                eos_token_id=stop,
                pad_token_id=tokenizer.pad_token_id,
            )
        texts = tokenizer.batch_decode(found[:, width:], skip_special_tokens=True)
        yield [(exams[n], text) for n, text in zip(some, texts, strict=True)]


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
