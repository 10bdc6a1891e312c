"""Which program sets have code in common."""

from __future__ import annotations

from itertools import combinations

import pytest

from llmopt_bench import dataset_names, make_dataset
from llmopt_bench.datasets.shared_code import share_code

BUNDLED = ("bundled-v1", "bundled-functions-v1")
TEST = ("corpus-functions-v1", "corpus-functions-mini-v1", "corpus-modules-v1")
REST = ("corpus-train-v1", "corpus-validation-v1")
SHARING = {
    frozenset(pair) for sets in (BUNDLED, ("corpus-v1", *TEST)) for pair in combinations(sets, 2)
}
SHARING |= {frozenset({"corpus-v1", name}) for name in REST}


@pytest.mark.parametrize(("one", "other"), list(combinations(dataset_names(), 2)))
def test_sets(one: str, other: str) -> None:
    expected = frozenset({one, other}) in SHARING
    assert share_code(one, other) is share_code(other, one) is expected
    assert share_code(one, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("bundled-v1/crc_family", "bundled-functions-v1", True),
        ("bundled-v1/crc_family", "bundled-functions-v1/crc_family/adler32", True),
        ("bundled-v1/crc_family", "bundled-functions-v1/crc_family_of_another/adler32", False),
        ("bundled-functions-v1/a/f", "bundled-functions-v1/a/g", False),
        ("csmith-v0/17", "csmith-v0", True),
        ("csmith-v0/17", "csmith-v0/18", False),
        ("file:///tmp/a.bc", "file:///tmp/a.bc", True),
        ("file:///tmp/a.bc", "file:///tmp/b.bc", False),
        ("my own programs", "bundled-v1", False),
        (" Bundled-v1/ ", "bundled-v1", True),
        ("benchmark://bundled-v1", "bundled-v1", True),
    ],
)
def test_programs(one: str, other: str, expected: bool) -> None:
    assert share_code(one, other) is share_code(other, one) is expected


@pytest.mark.parametrize("name", TEST)
def test_a_program_of_the_corpus_belongs_to_the_split_of_its_package(name: str) -> None:
    here, elsewhere = (next(make_dataset(n).uris()) for n in (name, "corpus-train-v1"))
    for test_set in TEST:
        assert share_code(here, test_set)
        assert not share_code(elsewhere, test_set)
