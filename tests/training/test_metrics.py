from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from xmodal_kedro.training.metrics import average_precision, mean_average_precision


@given(
    examples=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40).filter(
        lambda pairs: any(positive for positive, _ in pairs)
    )
)
def test_average_precision_is_sklearns_also_with_equal_scores(examples: list[tuple[bool, int]]) -> None:
    positive, score = np.array([p for p, _ in examples]), np.array([float(s) for _, s in examples])
    assert average_precision(positive, score) == pytest.approx(average_precision_score(positive, score))


def test_a_perfect_ranking_is_one_and_a_constant_score_is_the_share_of_positives() -> None:
    positive = np.array([True, False, False, False])
    assert average_precision(positive, np.array([4.0, 3.0, 2.0, 1.0])) == 1.0
    assert average_precision(positive, np.zeros(4)) == 0.25


def test_classes_without_a_positive_do_not_count() -> None:
    targets = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert mean_average_precision(targets, np.array([[0.9, 0.1], [0.2, 0.8]])) == 1.0
