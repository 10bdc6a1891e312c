"""Greedy decoding and sampling, as walks in a tree."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .decoding_tree import Node, Tree


def greedy(tree: Tree) -> Node:
    """Return the answer with the most probable token at each step."""
    node = tree.root
    while not node.ended:
        (node,) = tree.step([(node, int(node.choices[0]))])
    return node


def draw(tree: Tree, samples: int, temperature: float, top_p: float, seed: int) -> list[Node]:
    """Return answers whose tokens are drawn; answers may be equal.

    Tokens are drawn from the ``decoding_tree.WIDTH`` most probable ones. Each sample has random
    numbers of its own, so that the first ones do not depend on how many there are; to go on with
    ``seed + samples`` gives what more samples would have given.

    Args:
        tree: What may be answered.
        samples: How many answers.
        temperature: 0: the most probable token, as ``greedy``; 1: as the model has it.
        top_p: Tokens are drawn from the most probable ones that have this share together.
        seed: For the draws.
    """
    if temperature == 0:
        return [greedy(tree)] * samples
    rngs = [np.random.default_rng(seed + number) for number in range(samples)]
    nodes = [tree.root] * samples
    while going := [number for number, node in enumerate(nodes) if not node.ended]:
        wanted = [
            (nodes[number], _drawn(nodes[number], temperature, top_p, rngs[number]))
            for number in going
        ]
        for number, node in zip(going, tree.step(wanted), strict=True):
            nodes[number] = node
    return nodes


def _drawn(node: Node, temperature: float, top_p: float, rng: Generator) -> int:
    shares = np.exp((node.logs - node.logs[0]).astype(np.float64) / temperature)
    shares /= shares.sum()
    # The first token that reaches top_p is in.
    kept = shares[: int(np.searchsorted(np.cumsum(shares), top_p)) + 1]
    return int(node.choices[rng.choice(len(kept), p=kept / kept.sum())])
