"""What the model sees at a time: examples of like length, in an order that repeats.

Packing here means that a batch is filled by tokens, not by examples. Each row is one example, and
rows of like length are put together, so that little is padding (1 % of a batch on the shipped
data). Nothing attends to another example, the causal kernel of attention needs no mask, and its
cost grows with the lengths of the examples rather than with that of the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .config import LlmConfig
from .token_files import Ints, TokenFile, TokenIds, Tokens

_WINDOW = 2048
"""Among so many examples in random order, those of like length are put together."""

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Batch:
    """Some examples."""

    tokens: Tensor
    """(examples, longest), with padding at the end."""
    weights: Tensor
    """(examples, longest), that of each token in the loss."""
    places: Tensor
    """Where in both, row after row, a token is that the next one, with a weight, is foretold from.
    They are found before the batch is on a GPU, which would have to be waited for."""
    lengths: Ints
    choices: Tensor
    """(examples), the place in ``tokens``, row after row, before the first action of the list; none
    without a portfolio."""
    costs: Tensor
    """(examples, lists): what each list of the portfolio leaves of the function."""
    worse: Tensor
    """(examples, lists): 1 where that is more than with -Oz, or how probable it is."""
    before: Tensor
    """(examples): the instructions of the function, before any pass."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(
            self.tokens.to(device, non_blocking=True),
            self.weights.to(device, non_blocking=True),
            self.places.to(device, non_blocking=True),
            self.lengths,
            self.choices.to(device, non_blocking=True),
            self.costs.to(device, non_blocking=True),
            self.worse.to(device, non_blocking=True),
            self.before.to(device, non_blocking=True),
        )


class Examples:
    """The examples that a training uses, out of files.

    Args:
        file: The tokens.
        ids: Those with a meaning.
        config: Says which examples have their IR, and what weighs how much.
        seed: Of the choice of those that have their IR, or that are used at all.
        first: The tokens with which the lists of the portfolio begin.
        totals: The same examples by their totals alone; used where the file's are, as often as
            ``config`` says.
    """

    def __init__(
        self,
        file: TokenFile,
        ids: TokenIds,
        config: LlmConfig,
        seed: int,
        first: Sequence[int] = (),
        totals: Tokens | None = None,
    ) -> None:
        self._ids = ids
        self._config = config
        self._first = list(first)
        begin, _, ir, end = file.spans.T
        rng = np.random.default_rng(seed)
        used = rng.random(len(begin)) < config.share
        whole = (rng.random(len(begin)) < config.ir_task) & (end - begin < config.context)
        stop = np.where(whole, end, ir)
        fits = stop - begin < config.context
        self.too_long = int((used & ~fits).sum())
        """Examples that are left out since even their prompt and counts leave no room."""
        self.without_ir = int((used & fits & ~whole).sum())
        """Examples that end after the counts."""
        self._tokens = [file.tokens]
        spans = [np.stack([*file.spans.T[:3], stop], axis=1)[used & fits]]
        examples = [np.flatnonzero(used & fits)]
        if totals is not None:
            self._tokens.append(totals.tokens)
            answers = np.stack([*totals.spans.T[:3], totals.spans.T[2]], axis=1)
            short = answers if config.totals_whole else _up_to_choices(totals, first)
            spans += [short[used]] * config.totals_repeats
            examples += [np.flatnonzero(used)] * config.totals_repeats
        self._spans: Ints = np.concatenate(spans)
        self._whole = len(spans[0])
        """Examples before those by totals."""
        numbers = np.concatenate(examples)  # in the file, as in that of the totals
        self._costs, self._worse = file.costs[numbers], file.worse[numbers]
        self._before = file.before[numbers]
        self.lengths: Ints = self._spans[:, 3] - self._spans[:, 0] + 1
        """With the token that ends each."""

    def __len__(self) -> int:
        return len(self._spans)

    def batch(self, numbers: Numbers) -> Batch:
        """Return some examples."""
        config, lengths = self._config, self.lengths[numbers]
        tokens = np.full((len(numbers), lengths.max()), self._ids.padding, np.int64)
        weights = np.zeros(tokens.shape, np.float32)
        for row, number in enumerate(numbers):
            begin, answer, ir, stop = self._spans[number]
            by_totals = int(number >= self._whole)
            tokens[row, : stop - begin] = self._tokens[by_totals][begin:stop]
            tokens[row, stop - begin] = self._ids.end
            if by_totals and not config.totals_whole:
                continue  # the choice of a list, see below, is all that counts
            weights[row, 1 : answer - begin] = config.prompt_weight
            weights[row, answer - begin : ir - begin] = config.list_weight
            weights[row, ir - begin : stop - begin + 1] = 1.0 if stop > ir else config.list_weight
        choices = self._choices(numbers, tokens)
        weights.reshape(-1)[choices + 1] = 0.0  # they have a loss of their own
        places = np.flatnonzero(weights) - 1  # the first token of a row has no weight
        tensor = torch.from_numpy
        return Batch(
            tensor(tokens),
            tensor(weights),
            tensor(places),
            lengths,
            tensor(choices),
            tensor(self._costs[numbers]),
            tensor(self._worse[numbers]),
            tensor(self._before[numbers]),
        )

    def _choices(self, numbers: Numbers, tokens: Ints) -> Ints:
        """Return the place before the first action of each answer; none without a portfolio."""
        if not self._first:
            return np.empty(0, np.int64)
        answers = [self._spans[number][1] - self._spans[number][0] for number in numbers]
        found = [
            answer + int(np.isin(row[answer:], self._first).argmax())
            for answer, row in zip(answers, tokens, strict=True)
        ]
        rows: Ints = np.arange(len(numbers)) * tokens.shape[1]
        return rows + np.array(found, np.int64) - 1


def _up_to_choices(file: Tokens, first: Sequence[int]) -> Ints:
    """Return the spans of examples that end after the first action of their list."""
    spans = file.spans.copy()
    for span in spans:
        begin, answer, ir = span[:3]
        place = int(np.isin(file.tokens[answer:ir], first).argmax())
        span[:] = begin, answer, answer + place + 1, answer + place + 1
    return spans


def epoch_of(lengths: Ints, config: LlmConfig, seed: int, epoch: int) -> list[list[Numbers]]:
    """Return the steps of an epoch: batches of the numbers of examples, every example once.

    The same seed and epoch give the same, so that a training can go on in the middle of one.

    Args:
        lengths: Of the examples.
        config: Says how many tokens a batch and a step have.
        seed: Of the training.
        epoch: Its number.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    steps: list[list[Numbers]] = []
    for start in range(0, len(order), _WINDOW):
        window = order[start : start + _WINDOW]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches = _filled(window, lengths, config.micro_tokens)
        mixed = [batches[number] for number in rng.permutation(len(batches))]
        steps += _grouped(mixed, lengths, config.batch_tokens)
    return steps


def _filled(numbers: Numbers, lengths: Ints, most: int) -> list[Numbers]:
    """Cut examples, sorted by length, into batches of at most so many tokens with padding."""
    batches, start = [], 0
    for stop in range(1, len(numbers) + 1):
        if stop == len(numbers) or (stop + 1 - start) * lengths[numbers[stop]] > most:
            batches.append(numbers[start:stop])
            start = stop
    return batches


def _grouped(batches: list[Numbers], lengths: Ints, wanted: int) -> list[list[Numbers]]:
    """Put batches together into steps of about so many tokens, of like size."""
    total = sum(int(lengths[batch].sum()) for batch in batches)
    count = max(1, round(total / wanted))
    steps: list[list[Numbers]] = [[] for _ in range(count)]
    before = 0
    for batch in batches:
        steps[min(before * count // max(total, 1), count - 1)].append(batch)
        before += int(lengths[batch].sum())
    return [step for step in steps if step]
