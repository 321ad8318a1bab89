from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xmodal_kedro.benchmarks.compare import fold_accuracies, paired_p_value, summarise

ACCURACIES = pd.DataFrame({"pretrained": [0.8, 0.7, 0.9, 0.8, 0.8], "random": [0.6, 0.6, 0.6, 0.7, 0.5]})


def test_accuracy_is_counted_within_fold_and_initialisation() -> None:
    rows = [
        ("pretrained", 1, "a", "a"),
        ("pretrained", 1, "b", "a"),
        ("pretrained", 2, "a", "a"),
        ("random", 1, "a", "b"),
        ("random", 2, "b", "b"),
    ]
    accuracies = fold_accuracies(pd.DataFrame(rows, columns=["initialisation", "fold", "truth", "predicted"]))
    assert accuracies.to_dict() == {"pretrained": {1: 0.5, 2: 1.0}, "random": {1: 0.0, 2: 1.0}}


def test_the_summary_is_flat_and_agrees_with_a_count_by_hand() -> None:
    metrics = summarise("esc10", ACCURACIES)
    assert metrics["esc10.pretrained.accuracy"] == pytest.approx(0.8)
    assert metrics["esc10.random.accuracy"] == pytest.approx(0.6)
    assert metrics["esc10.pretrained.accuracy_std"] == pytest.approx(np.sqrt(0.02 / 4))
    assert metrics["esc10.gain"] == pytest.approx(0.2)
    assert metrics["esc10.gain_std"] == pytest.approx(0.1)
    assert all(isinstance(value, float) for value in metrics.values())


def test_without_its_correction_the_test_is_the_paired_t_test() -> None:
    pretrained, random = ACCURACIES["pretrained"].to_numpy(), ACCURACIES["random"].to_numpy()
    plain = stats.ttest_rel(pretrained, random).pvalue
    assert paired_p_value(pretrained - random, test_to_training=0.0) == pytest.approx(plain)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=10))
def test_the_correction_never_makes_a_gain_look_surer(gains: list[float]) -> None:
    values = np.array(gains)
    assert paired_p_value(values, 0.25) >= paired_p_value(values, 0.0) - 1e-12
    assert 0 <= paired_p_value(values, 0.25) <= 1


@pytest.mark.parametrize(("gain", "p"), [(0.0, 1.0), (0.1, 0.0)])
def test_gains_that_do_not_vary_have_a_p_value_too(gain: float, p: float) -> None:
    assert paired_p_value(np.full(5, gain), 0.25) == p
