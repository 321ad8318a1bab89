"""Fixtures of the tests of labels."""

import pytest

from tests.labels.merging import Corpus, corpus_of


@pytest.fixture
def corpus() -> Corpus:
    return corpus_of(
        {"s": [("b", "v1"), ("a", "v1"), ("c", "v2")]},
        {"s": [("a", "drum", 0.5), ("a", "statue", 0.4), ("b", "drum", 0.6)]},
        {"s": [("a", "Drum", 0.8)]},
    )
