"""The third stage: examples as tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from llmopt_bench import BadTraining, PassList, make_action_set

from ..prompt import View, make_prompt, paper_answer
from ..prompt_compact import totals_prompt
from .examples import Example, read_shards
from .stages import Stages, read_about
from .token_files import FORMAT, Floats, TokenIds
from .tokenizer import BEGIN, CODE, END, PADDING

PARTS = ("train", "holdout")
TOTALS = "totals"
"""The part ``train`` again, by totals alone; with the prompt ``compact``."""
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
    portfolio = data_about.get("portfolio", [])
    oz = portfolio.index("Oz") if "Oz" in portfolio else None
    if stages.config.foretold and oz is None:
        raise BadTraining(
            "foretold: expected a portfolio that has the list Oz, which others are compared with. "
            "Put Oz into the portfolio, or leave the setting away."
        )
    parts: dict[str, dict[str, int]] = {}
    for part, source, ask in _parts(stages.config.prompt):
        report(0.0, f"{part}, {data_about['examples'][source]:,} functions")
        encoding = encoded(read_shards(data, source), tokenizer, ask)
        path = stages.folder("tokens") / part
        parts[part], sizes = _write_tokens(encoding, ids, dtype, path)
        if part in PARTS:
            _write_sizes(path, sizes, oz)
    if stages.config.foretold and oz is not None:
        _foretell(stages, data, oz)
    about = {
        "format": FORMAT,
        "dtype": dtype,
        "vocabulary": tokenizer.get_vocab_size(),
        "ids": asdict(ids),
        "first": [number_of(next(iter(PassList.parse(text)))) for text in portfolio],
        "oz": oz,
        "foretold": stages.config.foretold,
        "prompt": stages.config.prompt,
        "parts": parts,
        "tokenizer_sha256": read_about(place)["tokenizer_sha256"],
        "data": data_about,
    }
    stages.finish("tokens", about)


def _parts(prompt: str) -> Iterator[tuple[str, str, Callable[[str], str]]]:
    """Yield the parts, those of the data that they are made of, and what makes prompts of IR."""
    for part in PARTS:
        yield part, part, partial(prompt_text, prompt)
    if prompt == "compact":
        yield TOTALS, "train", totals_prompt


def _write_tokens(
    encoding: Iterator[tuple[Example, list[int], list[int]]], ids: TokenIds, dtype: str, path: Path
) -> tuple[dict[str, int], list[list[int]]]:
    """Write a part, and return its numbers, and each function's size before and with each list."""
    spans: list[tuple[int, int, int, int]] = []
    sizes: list[list[int]] = []
    begin = 0
    with path.with_suffix(".bin").open("wb") as stream:
        for example, prompt, answer in encoding:
            head = answer.index(ids.code) if ids.code in answer else len(answer)
            end = begin + len(prompt) + len(answer)
            spans.append((begin, begin + len(prompt), begin + len(prompt) + head, end))
            sizes.append([example.before, *example.sizes])
            stream.write(np.array([*prompt, *answer], dtype).tobytes())
            begin = end
    np.save(path.with_suffix(".npy"), np.array(spans, np.int64).reshape(-1, 4))
    return {"examples": len(spans), "tokens": begin}, sizes


def _write_sizes(path: Path, sizes: list[list[int]], oz: int | None) -> None:
    known = np.array(sizes, np.int64).reshape(len(sizes), -1 if sizes else 1)
    before, after = known[:, 0], known[:, 1:]
    costs = after / np.maximum(before, 1)[:, None]
    worse = after > after[:, oz, None] if sizes and oz is not None else np.zeros(costs.shape)
    np.save(path.with_suffix(".before.npy"), before)
    _write_costs(path, costs.astype(np.float32), worse.astype(np.float32))


def _write_costs(path: Path, costs: Floats, worse: Floats) -> None:
    np.save(path.with_suffix(".costs.npy"), costs)
    np.save(path.with_suffix(".worse.npy"), worse)


def _foretell(stages: Stages, data: Path, oz: int) -> None:
    """Put what may be expected of the examples to learn from in place of what came of them."""
    from .foretell import foretold, outcomes

    stages.report("tokens")(0.0, "foretelling what the lists leave")
    found = foretold(outcomes(read_shards(data, "train"), stages.threads), oz)
    costs, worse = found.costs.astype(np.float32), found.worse.astype(np.float32)
    _write_costs(stages.folder("tokens") / "train", costs, worse)


def encoded(
    examples: Iterator[Example], tokenizer: Tokenizer, ask: Callable[[str], str]
) -> Iterator[tuple[Example, list[int], list[int]]]:
    """Yield examples, and the tokens of the prompt and of the answer of each.

    They are encoded one by one, since the model gets the prompt alone when it is to answer.

    Args:
        examples: Those to encode.
        tokenizer: What encodes them.
        ask: Returns what the model sees of normalised IR.
    """
    many: Any = tokenizer.encode_batch
    while some := list(islice(examples, _AT_A_TIME)):
        prompts = many([ask(example.ir) for example in some])
        answers = many([_answer(example) for example in some], add_special_tokens=False)
        for example, asked, said in zip(some, prompts, answers, strict=True):
            yield example, asked.ids, said.ids


def prompt_text(prompt: str, ir: str) -> str:
    """Return what the model sees of a function.

    Args:
        prompt: Name of a prompt that is one text.
        ir: Normalised.
    """
    return str(make_prompt(prompt).request(View(ir.rstrip("\n")), make_action_set()))


def _answer(example: Example) -> str:
    passes = PassList.parse(example.pass_list)
    ir = example.optimised or None
    return paper_answer(passes, example.before, example.after, ir)
