"""Where the lists of the coreset come from: the best lists that search found for functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from random import Random

from llmopt_bench import ActionSet, BadTraining, Label, PassList, read_labels


def read_train_labels(data: Sequence[str]) -> tuple[list[Label], str]:
    """Return the labels to learn from, and the SHA-256 of their file.

    Args:
        data: The path of a file of labels; none for the labels that come with the library.

    Raises:
        BadTraining: There are several files, or nothing in the file was improved.
        BadRecord: The file holds no labels.
    """
    shipped = files("llmopt_bench.agents.search").joinpath("labels-train-v1.parquet")
    if len(data) > 1:
        raise BadTraining(f"data: expected one file of labels, got {len(data)}. Merge them.")
    path = Path(data[0] if data else str(shipped))
    labels = list(read_labels(path))
    if not any(label.best < label.oz for label in labels):
        raise BadTraining(
            f"{path}: expected labels of functions that a list makes smaller than -Oz does, got "
            f"none among {len(labels):,}. Search longer, on more functions."
        )
    return labels, hashlib.sha256(path.read_bytes()).hexdigest()


def frequent_lists(labels: Iterable[Label], count: int, action_set: ActionSet) -> list[PassList]:
    """Return -Oz, and the lists that are best for the most functions that -Oz serves less well."""
    found = Counter(
        PassList.parse(label.pass_list, action_set) for label in labels if label.best < label.oz
    )
    oz = PassList(["Oz"], action_set)
    return list(dict.fromkeys([oz, *(passes for passes, _ in found.most_common(count))]))


def chains_of(lists: Sequence[PassList], known: Iterable[PassList]) -> list[PassList]:
    """Return every two of the lists, one after the other, in both orders, that are not known.

    Labels are minimised for one function each. A chain serves the functions of both its parts with
    one compilation. (arXiv 2301.05104 has long lists from random search in place of these.)
    """
    known = set(known)
    chains = dict.fromkeys(one + two for one, two in permutations(lists, 2))
    return [chain for chain in chains if chain not in known]


def sample_uris(labels: Sequence[Label], count: int, seed: int, *, improved: bool) -> list[str]:
    """Return the URIs of some functions, in random order; a smaller count gives the first ones.

    Args:
        labels: What to take from.
        count: The most.
        seed: Another seed, another order.
        improved: Take only functions that a list makes smaller than -Oz does.
    """
    uris = (label.uri for label in labels if not improved or label.best < label.oz)
    return shuffled(uris, seed)[:count]


def shuffled(uris: Iterable[str], seed: int) -> list[str]:
    """Return URIs in random order, so that the first ones are a sample."""
    some = list(uris)
    Random(seed).shuffle(some)
    return some
