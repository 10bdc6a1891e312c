"""Priority Sampling (arXiv 2402.18734): the next answer is where the model was least sure.

The first answer is the greedy one. At each token of it, there were others that might have been
chosen. The most probable one of these, of all answers so far, begins the next answer, which goes on
greedily; then its alternatives are in the queue too. There are no random numbers and no
temperature. Nothing behind the end of the list is an alternative where ``Ending.stop`` ends answers
there: the same list with other counts would be no news.

One answer after the other would need a forward pass for each token. So the beginnings that come
next as far as is known go on together, some of them in vain where a better one turns up; the order
of the answers is the same.

"The unexpanded token with the highest probability" can be read in two ways, and both are here:
the probability of the whole beginning of the answer, or that of the token behind its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush, nsmallest
from typing import NamedTuple

from .decoding_tree import Node, Tree

TOGETHER = 4
"""Beginnings that go on at the same time. It does not depend on how many answers are wanted, so
that more of them begin with the same ones to the last bit."""
_BARREN = 64
"""So many beginnings in a row that lead to texts that were there: nothing new is to be expected."""


def by_priority(tree: Tree, *, whole_path: bool = True) -> Iterator[Node]:
    """Yield answers with different texts, the greedy one first, until there are no more.

    Different tokens can be the same text. Such an answer is left out, and after 64 of them in a row
    this ends.

    Args:
        tree: What may be answered.
        whole_path: Rank a beginning by the probability of all its tokens, not of its last one.
    """
    texts: set[str] = set()
    barren = 0
    for node in _Walks(tree, whole_path):
        barren = barren + 1 if node.text in texts else 0
        if barren == _BARREN:
            return
        if not barren:
            texts.add(node.text)
            yield node


class _Branch(NamedTuple):
    """A beginning of an answer in the queue, which pops the smallest first."""

    cost: float
    """The negative logarithm of the probability that ranks it."""
    number: int
    """Of equals the first that was met comes first."""
    node: Node
    """Where it leaves the answers so far."""
    rank: int
    """Its token: the place in ``node.choices``."""
    path: float
    """The logarithm of the probability of ``node``."""

    @property
    def token(self) -> int:
        """The token that it begins with."""
        return int(self.node.choices[self.rank])

    @property
    def known(self) -> bool:
        """Whether it is computed how it goes on."""
        return self.token in self.node.children


class _Walks:
    """Answers with different tokens."""

    def __init__(self, tree: Tree, whole_path: bool) -> None:
        self._tree, self._whole_path = tree, whole_path
        self._queue: list[_Branch] = []
        self._count = 0

    def __iter__(self) -> Iterator[Node]:
        yield self._finish(self._tree.root, 0.0)
        while self._queue:
            branch = heappop(self._queue)
            self._push(branch.node, branch.rank + 1, branch.path)
            if not branch.known:
                unknown = (other for other in self._queue if not other.known)
                self._look_ahead([branch, *nsmallest(TOGETHER - 1, unknown)])
            path = branch.path + float(branch.node.logs[branch.rank])
            yield self._finish(branch.node.children[branch.token], path)

    def _look_ahead(self, branches: list[_Branch]) -> None:
        """Compute how beginnings go on greedily, all at the same time."""
        wanted = [(branch.node, branch.token) for branch in branches]
        while wanted:
            nodes = self._tree.step(wanted)
            wanted = [(node, int(node.choices[0])) for node in nodes if not node.ended]

    def _finish(self, node: Node, path: float) -> Node:
        """Go on greedily to the end, and put what was not chosen into the queue."""
        while not node.ended:
            self._push(node, 1, path)
            path += float(node.logs[0])
            [node] = self._tree.step([(node, int(node.choices[0]))])
        return node

    def _push(self, node: Node, rank: int, path: float) -> None:
        """Put the token of a rank into the queue; the next one comes when this one is taken."""
        if rank < len(node.choices):
            log = float(node.logs[rank])
            cost = -(path + log) if self._whole_path else -log
            self._count += 1
            heappush(self._queue, _Branch(cost, self._count, node, rank, path))
