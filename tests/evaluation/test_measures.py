from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_score

from xmodal_kedro.evaluation.measures import MEASURES

TRUTH = np.array(["a", "a", "a", "b", "b", "c"])
CALLED = np.array(["a", "a", "b", "b", "c", "a"])


def test_measures_are_those_of_scikit_learn() -> None:
    expected = {
        "accuracy": np.mean(TRUTH == CALLED),
        "class_accuracy": balanced_accuracy_score(TRUTH, CALLED),
        "class_precision": precision_score(TRUTH, CALLED, average="macro", zero_division=0),
    }
    assert {name: measure(TRUTH, CALLED) for name, measure in MEASURES.items()} == pytest.approx(expected)
