"""Guesses at how an answer goes on, for a model to check many tokens in one forward pass.

A model that has learnt from a few lists writes them again, token by token; so do answers to one
request, which differ in a place and are alike behind it. A draft is what followed the same two
tokens in a known answer. A model that reads it at once tells what it would have written, and a
wrong guess costs nothing but the tokens that were read in vain (speculative decoding, arXiv
2211.17192, with lookup in place of a second model).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_CONTEXT = 2
"""Tokens that are looked up: an action, and what stands between actions."""
_FEW = 12
"""Tokens of a draft of which the tokens do not have the whole beginning: most are soon left."""


class Drafts:
    """Known answers.

    Args:
        answers: Their tokens.
    """

    def __init__(self, answers: Iterable[Sequence[int]] = ()) -> None:
        self._places: dict[tuple[int, ...], list[tuple[int, tuple[int, ...]]]] = {}
        self._known: set[tuple[int, ...]] = set()
        for answer in answers:
            self.add(answer)

    def add(self, answer: Sequence[int]) -> None:
        """Add an answer."""
        tokens = tuple(answer)
        if tokens in self._known:
            return
        self._known.add(tokens)
        for place in range(1, len(tokens)):
            self._places.setdefault(_context(tokens[:place]), []).append((place, tokens))

    def behind(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Return what may follow tokens; nothing where nothing like it is known.

        Of several answers it is one with whose beginning the tokens end, else a few tokens of one
        in which the same stands in about the same place; of equals the one that was added first.
        """
        places = self._places.get(_context(tokens))
        if not places:
            return ()

        def distance(found: tuple[int, tuple[int, ...]]) -> tuple[bool, int]:
            place, answer = found
            return tokens[-place:] != answer[:place], abs(place - len(tokens))

        place, answer = min(places, key=distance)
        whole = tokens[-place:] == answer[:place]
        return answer[place:] if whole else answer[place : place + _FEW]

    def copy(self) -> Drafts:
        """Return the same, to add other answers to."""
        twin = Drafts()
        twin._known = set(self._known)
        twin._places = {context: list(places) for context, places in self._places.items()}
        return twin


def _context(tokens: tuple[int, ...]) -> tuple[int, ...]:
    return tokens[-_CONTEXT:]
