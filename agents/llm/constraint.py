"""Holding a model to a grammar: which tokens may come next.

The masks are those of llguidance, which needs no other package, has one wheel for every Python, and
makes no index of the vocabulary beforehand: its first mask is ready in milliseconds. (xgrammar
asks for torch and triton, outlines-core indexes every state of the expression, with all actions in
each of them, before the first token.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from numpy.typing import NDArray

from llmopt_bench import BadModel

from .grammar import Grammar


class Position:
    """A place in the grammar, behind some tokens."""

    __slots__ = ("_matcher",)

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def allowed(self) -> NDArray[np.int64]:
        """Return the tokens that may come next; an end where the answer may end."""
        return np.flatnonzero(np.frombuffer(self._matcher.compute_logit_bias(), np.uint8))

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        return bool(self._matcher.validate_tokens([token]))

    def behind(self, token: int) -> Position:
        """Return the place behind a token that is allowed here."""
        matcher = self._matcher.deep_copy()
        if not matcher.consume_token(token):
            raise BadModel(f"expected a token of the grammar, got {token}: {matcher.get_error()}")
        return Position(matcher)

    @property
    def over(self) -> bool:
        """Whether nothing but the end may follow."""
        return bool(self._matcher.is_stopped())


class Constraint:
    """A grammar over the tokens of one tokenizer.

    Args:
        tokenizer: Of transformers; one that the package ``tokenizers`` runs.
        vocabulary: How many numbers the model gives for the next token.
        ends: Tokens that end an answer.

    Raises:
        BadModel: The tokenizer is of another kind.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, ends: Sequence[int]) -> None:
        if not ends:
            raise BadModel("expected a token that ends answers, got none. Set constrained=False.")
        try:
            self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=list(ends))
        except ValueError as error:
            raise BadModel(
                f"expected a tokenizer with a tokenizer.json, got a {type(tokenizer).__name__}: "
                f"{error}. Set constrained=False."
            ) from error
        self._starts: dict[Grammar, LLMatcher] = {}

    def start(self, grammar: Grammar) -> Position:
        """Return the place before the first token.

        Raises:
            BadModel: The grammar cannot be read.
        """
        if grammar not in self._starts:
            source = LLMatcher.grammar_from_regex(grammar.pattern)
            matcher = LLMatcher(self._tokenizer, source, log_level=0)
            if matcher.is_error():
                raise BadModel(f"expected a regular expression: {matcher.get_error()}")
            self._starts[grammar] = matcher
        # Copies share what the first of them has found out about the expression.
        return Position(self._starts[grammar].deep_copy())
