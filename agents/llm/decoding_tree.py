"""The answers to one request as a tree of tokens, in which nothing is computed twice.

All answers share what the model has read of the request, and two answers share what they have in
common. A step computes any number of tokens, each behind a place of its own in the tree, in one
forward pass: the tokens lie behind each other in one cache, and a mask lets each of them see the
request and its own ancestors alone. So a sample that was drawn before costs no forward pass, and a
step for eight samples costs little more than a step for one, since the request is read once.

With ``drafts`` a step also computes tokens that are likely to be asked for next. So answers that
are alike take few forward passes, and are the same up to rounding.

Greedy decoding, sampling and Priority Sampling are walks in this tree.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmopt_bench import BadModel

from .constraint import Position
from .decoding_cache import make_cache
from .decoding_drafts import Drafts

WIDTH = 256
"""Tokens that are looked at behind a place: the most probable ones."""
LATER = 8192
"""Vocabularies up to here are kept whole until a place is looked at; of a thousand places in a
draft, larger ones would take gigabytes."""


@dataclass(eq=False)
class Node:
    """A place in the tree, behind some tokens of an answer."""

    tokens: tuple[int, ...] = ()
    """The answer up to here; a token that ends answers is not among them."""
    text: str = ""
    whole: bool = False
    """Whether the answer ends here by itself."""
    cut: bool = False
    """Whether it ends here because it may not be longer."""
    logits: Tensor | None = None
    """What the model says about all tokens; None where the answer ends."""
    children: dict[int, Node] = field(default_factory=dict)
    position: Position | None = None
    """Where the grammar is; None without one."""
    slots: tuple[int, ...] = ()
    """Where the tokens lie in the cache."""

    @property
    def ended(self) -> bool:
        """Whether no token follows."""
        return self.whole or self.cut

    @property
    def choices(self) -> NDArray[np.int64]:
        """What may come next, most probable first; nothing where the answer ends."""
        return self._best[0]

    @property
    def logs(self) -> NDArray[np.float32]:
        """The logarithms of the probabilities of ``choices``, among all that may come next."""
        return self._best[1]

    def decide(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Compute what may come next now, and forget what the model says about all tokens."""
        return self._best

    # When it is first asked for: of most tokens of drafts nobody asks.
    @functools.cached_property
    def _best(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if self.logits is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        tokens, logits, self.logits = None, self.logits, None
        if self.position is not None:
            tokens = torch.from_numpy(self.position.allowed())
            logits = logits[tokens]
        if not len(logits) or bool(torch.isnan(logits).any()):
            raise BadModel(
                f"expected probabilities of the token behind {self.text!r}, got none. The weights "
                "are damaged, or too large for this dtype; try dtype=float32."
            )
        best = torch.topk(torch.log_softmax(logits, 0), min(WIDTH, len(logits)))
        choices = best.indices if tokens is None else tokens[best.indices]
        return choices.numpy(), best.values.numpy()


@dataclass(frozen=True, slots=True)
class Ending:
    """When an answer ends."""

    tokens: frozenset[int]
    """Behind any of these."""
    max_tokens: int
    stop: tuple[str, ...] = ()
    """Before any of these texts."""


class _New(NamedTuple):
    """A place that the model has not read yet."""

    parent: Node
    node: Node
    token: int


class Tree:
    """What a model may answer to a request.

    Args:
        network: A causal model of transformers, in evaluation mode.
        tokenizer: Its tokenizer.
        request: The tokens of the request.
        ending: When an answer ends.
        start: The beginning of the grammar; None for any answer.
        drafts: Answers that are likely; those that end here are added.

    Raises:
        BadModel: From its places, where the model gives no probabilities.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        request: Sequence[int],
        ending: Ending,
        start: Position | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        self._network, self._tokenizer, self._ending = network, tokenizer, ending
        self._drafts = Drafts() if drafts is None else drafts.copy()
        self._cache = make_cache()
        self._length = len(request)
        self.root = Node(position=start)
        given = torch.tensor([list(request)], device=network.device)
        with torch.inference_mode():
            logits = network(given, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._used = len(request)
        self.root.logits = logits.logits[0, -1].float().cpu()

    def step(self, wanted: Sequence[tuple[Node, int]]) -> list[Node]:
        """Return the places behind some tokens.

        Args:
            wanted: Each a place where the answer goes on, and one of its choices.
        """
        new: list[_New] = []
        for node, token in wanted:
            if token not in node.children:
                new += self._grown(node, token)
        if new:
            self._compute(new)
        return [node.children[token] for node, token in wanted]

    def _grown(self, node: Node, token: int) -> Iterator[_New]:
        """Add a place to the tree, and those of the draft behind it; yield what to compute."""
        draft: Iterator[int] | None = None
        while True:
            node.children[token] = child = self._child(node, token)
            if child.whole:
                self._drafts.add(child.tokens)
            if child.ended:
                return
            yield _New(node, child, token)
            if draft is None:
                draft = iter(self._drafts.behind(child.tokens))
            node, token = child, next(draft, -1)
            if token < 0 or not (node.position is None or node.position.allows(token)):
                return

    def _child(self, node: Node, token: int) -> Node:
        if token in self._ending.tokens:
            return Node(node.tokens, node.text, whole=True)
        tokens = (*node.tokens, token)
        text = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        ends = [place for stop in self._ending.stop if (place := text.find(stop)) >= 0]
        if ends:
            return Node(tokens, text[: min(ends)], whole=True)
        position = node.position.behind(token) if node.position else None
        if position is not None and position.over:
            return Node(tokens, text, whole=True)
        if len(tokens) == self._ending.max_tokens:
            return Node(tokens, text, cut=True)
        return Node(tokens, text, position=position)

    def _compute(self, new: Sequence[_New]) -> None:
        """Let the model read the last token of each place; parents stand before children."""
        device, dtype = self._network.device, self._network.dtype
        for number, (parent, node, _) in enumerate(new):
            node.slots = (*parent.slots, self._used + number)
        places = [self._length + len(node.slots) - 1 for _, node, _ in new]
        self._used += len(new)
        with torch.inference_mode():
            found = self._network(
                torch.tensor([[token for _, _, token in new]], device=device),
                attention_mask=self._mask([node for _, node, _ in new], dtype).to(device),
                position_ids=torch.tensor([places], device=device),
                past_key_values=self._cache,
                use_cache=True,
            )
        for (_, node, _), logits in zip(new, found.logits[0].float().cpu(), strict=True):
            node.logits = logits
            if len(logits) > LATER:
                node.decide()

    def _mask(self, nodes: Sequence[Node], dtype: torch.dtype) -> Tensor:
        """Return what is added to the attention of each place: nothing to its ancestors'."""
        mask = torch.full((len(nodes), self._used), torch.finfo(dtype).min, dtype=dtype)
        mask[:, : self._length] = 0
        for row, node in enumerate(nodes):
            mask[row, list(node.slots)] = 0
        return mask[None, None]
