"""The third stage: examples as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from llmopt_bench import PassList

from ..prompt import paper_answer, paper_prompt
from .examples import Example, read_shards
from .stages import Stages, read_about
from .token_files import FORMAT, TokenIds
from .tokenizer import BEGIN, CODE, END, PADDING

PARTS = ("train", "holdout")
_AT_A_TIME = 256


def make_tokens(stages: Stages) -> None:
    """Write all examples as tokens."""
    data, place = stages.results("data"), stages.results("tokenizer")
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    numbers = {"begin": BEGIN, "end": END, "padding": PADDING, "code": CODE}
    number_of: Any = tokenizer.token_to_id
    ids = TokenIds(**{name: number_of(text) for name, text in numbers.items()})
    dtype = "uint16" if tokenizer.get_vocab_size() <= 1 << 16 else "uint32"
    data_about, report = read_about(data), stages.report("tokens")
    parts: dict[str, dict[str, int]] = {}
    for part in PARTS:
        report(0.0, f"{part}, {data_about['examples'][part]:,} functions")
        examples = read_shards(data, part)
        parts[part] = _write_part(examples, tokenizer, ids, dtype, stages.folder("tokens") / part)
    about = {
        "format": FORMAT,
        "dtype": dtype,
        "vocabulary": tokenizer.get_vocab_size(),
        "ids": asdict(ids),
        "parts": parts,
        "tokenizer_sha256": read_about(place)["tokenizer_sha256"],
        "data": data_about,
    }
    stages.finish("tokens", about)


def _write_part(
    examples: Iterator[Example], tokenizer: Tokenizer, ids: TokenIds, dtype: str, path: Path
) -> dict[str, int]:
    spans: list[tuple[int, int, int, int]] = []
    begin = 0
    with path.with_suffix(".bin").open("wb") as stream:
        while some := list(islice(examples, _AT_A_TIME)):
            for prompt, answer in encoded(some, tokenizer):
                head = answer.index(ids.code) if ids.code in answer else len(answer)
                end = begin + len(prompt) + len(answer)
                spans.append((begin, begin + len(prompt), begin + len(prompt) + head, end))
                stream.write(np.array([*prompt, *answer], dtype).tobytes())
                begin = end
    np.save(path.with_suffix(".npy"), np.array(spans, np.int64).reshape(-1, 4))
    return {"examples": len(spans), "tokens": begin}


def encoded(
    examples: Sequence[Example], tokenizer: Tokenizer
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the tokens of the prompt and of the answer of each example.

    They are encoded one by one, since the model gets the prompt alone when it is to answer.
    """
    prompts = [paper_prompt(example.ir) for example in examples]
    answers = [
        paper_answer(
            PassList.parse(example.pass_list), example.before, example.after, example.optimised
        )
        for example in examples
    ]
    many: Any = tokenizer.encode_batch
    for prompt, answer in zip(many(prompts), many(answers, add_special_tokens=False), strict=True):
        yield prompt.ids, answer.ids
