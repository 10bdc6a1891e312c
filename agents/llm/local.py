"""Models that run in this process: what transformers loads, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from llmopt_bench import BadModel

from .decoding import draw
from .decoding_tree import Ending, Node, Tree
from .grammar import Grammar
from .loading import Loaded
from .model import Reply, Sampling, Usage
from .priority import by_priority
from .prompt_view import Request


class LocalModel:
    """A loaded model, and what it is held to.

    What it has read of the last request stays in memory, so that to ask again costs only what is
    new. Not for several threads at once.

    Args:
        loaded: The model.
        grammar: The form of all answers; None to let it write what it likes.

    Raises:
        BadModel: It was loaded for answers without a form.

    Example:
        >>> model = LocalModel(load("path/to/model"), make_grammar("paper", actions, 20))
        >>> model.write(paper_prompt(ir), Sampling(max_tokens=64))[0].text
    """

    def __init__(self, loaded: Loaded, grammar: Grammar | None = None) -> None:
        if grammar is not None and loaded.constraint is None:
            raise BadModel("expected a model that was loaded with constrained=True.")
        self.usage = Usage()
        self._loaded, self._grammar = loaded, grammar
        self._tree: tuple[tuple[Request, Ending], Tree] | None = None

    @property
    def context(self) -> int | None:
        """The most tokens of a request and its answer together; None where that is unknown."""
        return self._loaded.context

    def count(self, request: Request) -> int:
        """Return how many tokens a request has.

        Raises:
            BadModel: There are messages, and the model has no chat template.
        """
        return len(self._tokens(request))

    def write(self, request: Request, sampling: Sampling) -> list[Reply]:
        """Return replies to a request; with temperature 0 all are the greedy one.

        Raises:
            BadModel: The request leaves no room for an answer, or the model cannot answer it.
        """
        tree = self._read(request, sampling.max_tokens, sampling.stop)
        values = sampling.samples, sampling.temperature, sampling.top_p, sampling.seed
        return [self._reply(node) for node in draw(tree, *values)]

    def by_priority(
        self, request: Request, sampling: Sampling, *, whole_path: bool = True
    ) -> Iterator[Reply]:
        """Yield different replies by Priority Sampling, the greedy one first.

        Args:
            request: What to answer.
            sampling: ``max_tokens`` and ``stop``; the rest of it is for draws.
            whole_path: As in ``priority.by_priority``.

        Raises:
            BadModel: As ``write``.
        """
        tree = self._read(request, sampling.max_tokens, sampling.stop)
        for node in by_priority(tree, whole_path=whole_path):
            yield self._reply(node)

    def _reply(self, node: Node) -> Reply:
        self.usage.tokens_out += len(node.tokens)
        return Reply(node.text, node.whole)

    def _read(self, request: Request, max_tokens: int, stop: tuple[str, ...]) -> Tree:
        """Return what may be answered, from memory if it was asked for just before."""
        loaded = self._loaded
        key = request, Ending(frozenset(loaded.ends), max_tokens, stop)
        if self._tree is None or self._tree[0] != key:
            tokens = self._tokens(request)
            if loaded.context is not None and len(tokens) + max_tokens > loaded.context:
                raise BadModel(
                    f"model {loaded.name!r}: expected a request and an answer of at most "
                    f"{loaded.context:,} tokens, got {len(tokens):,} and {max_tokens:,}. Show less "
                    "of the program."
                )
            start = None
            if self._grammar is not None and loaded.constraint is not None:
                start = loaded.constraint.start(self._grammar)
            self._tree = None  # two trees of a large model may not fit into memory
            how = key[1], start, loaded.drafts
            self._tree = key, Tree(loaded.network, loaded.tokenizer, tokens, *how)
            self.usage.tokens_in += len(tokens)
        self.usage.calls += 1
        return self._tree[1]

    def _tokens(self, request: Request) -> list[int]:
        tokenizer: Any = self._loaded.tokenizer
        if isinstance(request, str):
            return list(tokenizer(request)["input_ids"])
        if not tokenizer.chat_template:
            raise BadModel(
                f"model {self._loaded.name!r}: expected a chat template for messages, its "
                "tokenizer has none. Use an instruction-tuned model, or a prompt that is a text."
            )
        messages = [{"role": one.role, "content": one.content} for one in request]
        found = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True
        )
        return list(found["input_ids"])


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads on the CPU; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
