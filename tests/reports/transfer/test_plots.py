from __future__ import annotations

import pandas as pd
import pytest

from tests.evaluation.test_statistics import FOLDS, PREDICTIONS, predictions
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.statistics import all_gains, fold_values
from xmodal_kedro.reports.transfer.plots import class_gains, confusion_matrix, gain_intervals


def table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    reported = pd.DataFrame(rows, columns=["representation", "truth", "predicted"])
    return reported.assign(protocol="linear_probe", fold=1, file=[f"{row}.wav" for row in range(len(rows))])


def test_the_confusion_matrix_counts_the_pretrained_network_alone_true_classes_in_rows() -> None:
    figure = confusion_matrix(
        table(
            ("pretrained", "dog", "dog"),
            ("pretrained", "dog", "rain"),
            ("pretrained", "rain", "rain"),
            ("random", "rain", "dog"),
        )
    )
    assert list(figure.data[0].y) == ["dog", "rain"]
    assert [list(row) for row in figure.data[0].customdata] == [[1, 1], [0, 1]]
    assert [list(row) for row in figure.data[0].z] == [[0.5, 0.5], [0.0, 1.0]]


def test_gains_are_drawn_in_points_with_their_intervals() -> None:
    gains = all_gains(fold_values(PREDICTIONS, ["accuracy"]), PREDICTIONS, rotate(FOLDS), ["accuracy"])
    (bars,) = gain_intervals(gains).data
    assert bars.y == ("random weights, linear probe",)
    assert bars.x[0] == pytest.approx(20)
    assert bars.x[0] - bars.error_x.arrayminus[0] == pytest.approx(100 * gains["low"].iloc[0])


def test_classes_are_drawn_by_their_gain_over_what_learnt_nothing() -> None:
    (bars,) = class_gains(PREDICTIONS).data
    assert sorted(bars.y) == ["a", "b"]
    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert not class_gains(predictions({"pretrained": [0] * 5}, protocol="zero_shot")).data
