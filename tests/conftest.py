"""Fixtures that several files of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from llmopt_bench.datasets.corpus.corpus import Corpus


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A small corpus, built; not to be changed."""
    # Here, because most tests need neither the compiler of the corpus nor pyarrow.
    from tiny_corpus import Quiet, make

    corpus = make(tmp_path_factory.mktemp("tiny"))
    corpus.build(Quiet(), jobs=2)
    return corpus
