from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xmodal_kedro.evaluation.benchmarks.benchmark import Split, rotate
from xmodal_kedro.evaluation.statistics import (
    all_gains,
    class_accuracies,
    class_gains,
    confidence_interval,
    coverage,
    fold_values,
    paired_p_value,
    summarise,
)

GAINS = np.array([0.2, 0.1, 0.3, 0.1, 0.3])
FOLDS = np.repeat(np.arange(1, 6), 10)


def predictions(wrong: dict[str, list[int]], folds: np.ndarray = FOLDS, protocol: str = "linear_probe") -> pd.DataFrame:
    """Two classes in turn; each representation is wrong about so many of the first clips of each fold."""
    tables = []
    for representation, counts in wrong.items():
        place = np.concatenate([np.arange((folds == fold).sum()) for fold in np.unique(folds)])
        truth = np.where(place % 2, "b", "a")
        is_wrong = place < np.array(counts)[folds - 1]
        tables.append(
            pd.DataFrame(
                {
                    "protocol": protocol,
                    "representation": representation,
                    "fold": folds,
                    "file": [f"{number}.wav" for number in range(len(folds))],
                    "truth": truth,
                    "predicted": np.where(is_wrong, np.where(truth == "a", "b", "a"), truth),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


PREDICTIONS = predictions({"pretrained": [1, 2, 1, 2, 0], "random": [3, 3, 4, 3, 3]})


def test_a_measure_is_counted_within_fold_and_representation() -> None:
    values = fold_values(PREDICTIONS, ["accuracy"]).set_index(["representation", "fold"])["value"]
    assert values["pretrained"].tolist() == pytest.approx([0.9, 0.8, 0.9, 0.8, 1.0])
    assert values["random"].tolist() == pytest.approx([0.7, 0.7, 0.6, 0.7, 0.7])


def test_the_gain_its_interval_and_p_are_those_of_the_corrected_test_by_hand() -> None:
    values = fold_values(PREDICTIONS, ["accuracy"])
    (gain,) = all_gains(values, PREDICTIONS, rotate(FOLDS), ["accuracy"]).to_dict("records")
    assert (gain["over"], gain["folds"], gain["gain"]) == ("random", 5, pytest.approx(0.2))
    error = np.std(GAINS, ddof=1) * np.sqrt(1 / 5 + 10 / 40)
    reach = stats.t.ppf(0.975, 4) * error
    assert (gain["low"], gain["high"]) == (pytest.approx(0.2 - reach), pytest.approx(0.2 + reach))
    assert gain["p_value"] == pytest.approx(2 * stats.t.sf(0.2 / error, 4))


def test_without_its_correction_the_test_is_the_paired_t_test() -> None:
    plain = stats.ttest_1samp(GAINS, 0)
    assert paired_p_value(GAINS, test_to_training=0.0) == pytest.approx(plain.pvalue)
    assert confidence_interval(GAINS, 0.0) == pytest.approx(tuple(plain.confidence_interval(0.95)))


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=10))
def test_the_correction_never_makes_a_gain_look_surer(gains: list[float]) -> None:
    values = np.array(gains)
    assert paired_p_value(values, 0.25) >= paired_p_value(values, 0.0) - 1e-12
    assert 0 <= paired_p_value(values, 0.25) <= 1


@given(st.lists(st.integers(-100, 100), min_size=3, max_size=10))
def test_zero_lies_in_the_interval_just_where_p_exceeds_a_twentieth(gains: list[int]) -> None:
    values = np.array(gains) / 100
    low, high = confidence_interval(values, 0.25)
    p = paired_p_value(values, 0.25)
    assert abs(p - 0.05) < 1e-9 or (low <= 0 <= high) == (p > 0.05)


@pytest.mark.parametrize(("gain", "p"), [(0.0, 1.0), (0.1, 0.0)])
def test_gains_that_do_not_vary_have_a_p_value_too(gain: float, p: float) -> None:
    assert paired_p_value(np.full(5, gain), 0.25) == p


def test_one_official_split_is_judged_by_a_bootstrap_over_its_clips() -> None:
    one = np.ones(200, int)
    clear = predictions({"pretrained": [10], "random": [80]}, one)
    vague = predictions({"pretrained": [80], "random": [80]}, one)
    split = (Split(1, np.arange(200, 600), np.arange(200)),)
    sure, unsure = (
        all_gains(fold_values(reported, ["class_accuracy"]), reported, split, ["class_accuracy"]).iloc[0]
        for reported in (clear, vague)
    )
    assert sure["gain"] == pytest.approx(0.35) and 0.25 < sure["low"] < 0.35 < sure["high"] < 0.45
    assert sure["p_value"] < 0.01
    assert (unsure["gain"], unsure["p_value"]) == (0.0, 1.0)


def test_who_was_asked_other_clips_is_not_compared() -> None:
    reported = predictions({"pretrained": [1] * 5, "teacher": [0] * 5}, protocol="zero_shot")
    fewer = reported[~((reported["representation"] == "pretrained") & (reported["truth"] == "b"))]
    for table, compared in ((reported, 1), (fewer, 0)):
        assert len(all_gains(fold_values(table, ["accuracy"]), table, rotate(FOLDS), ["accuracy"])) == compared
    assert coverage(fewer) == {("zero_shot", "pretrained"): (25, 1), ("zero_shot", "teacher"): (50, 2)}


def test_the_summary_is_flat_and_agrees_with_a_count_by_hand() -> None:
    values = fold_values(PREDICTIONS, ["accuracy"])
    metrics = summarise("esc10", values, all_gains(values, PREDICTIONS, rotate(FOLDS), ["accuracy"]))
    assert metrics["esc10.linear_probe.pretrained.accuracy"] == pytest.approx(0.88)
    assert metrics["esc10.linear_probe.random.accuracy_std"] == pytest.approx(np.std([0.7, 0.7, 0.6, 0.7, 0.7], ddof=1))
    assert metrics["esc10.linear_probe.gain_over_random.accuracy"] == pytest.approx(0.2)
    assert 0 < metrics["esc10.linear_probe.gain_over_random.accuracy_p_value"] < 0.05
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_gains_of_classes_add_up_to_that_of_all() -> None:
    table = class_gains(PREDICTIONS, "linear_probe", "random")
    assert table["gain"].is_monotonic_decreasing
    assert table["gain"].mean() == pytest.approx(0.2)  # both classes have as many clips


def test_the_accuracy_of_a_class_is_the_share_of_its_clips_that_is_called_right() -> None:
    table = pd.DataFrame({"truth": ["rain", "dog", "dog", "dog"], "predicted": ["dog", "dog", "dog", "rain"]})
    assert class_accuracies(table).to_dict("list") == {"category": ["dog", "rain"], "accuracy": [2 / 3, 0.0]}
