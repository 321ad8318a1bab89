from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.test_statistics import FOLDS, TOLD, predictions
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.embedding_map import draw_map
from xmodal_kedro.evaluation.plots import class_gains, confusion_matrix, gain_intervals, main_predictions
from xmodal_kedro.evaluation.statistics import all_gains, fold_values


def table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    told = pd.DataFrame(rows, columns=["representation", "truth", "predicted"])
    return told.assign(protocol="linear_probe", fold=1, file=[f"{row}.wav" for row in range(len(rows))])


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


def test_the_first_protocol_that_was_run_stands_for_the_others() -> None:
    zero_shot = TOLD.assign(protocol="zero_shot")
    assert set(main_predictions(pd.concat([zero_shot, TOLD]))["protocol"]) == {"linear_probe"}
    assert set(main_predictions(zero_shot)["protocol"]) == {"zero_shot"}


def test_gains_are_drawn_in_points_with_their_intervals() -> None:
    gains = all_gains(fold_values(TOLD, ["accuracy"]), TOLD, rotate(FOLDS), ["accuracy"])
    (bars,) = gain_intervals(gains).data
    assert bars.y == ("random weights, linear probe",)
    assert bars.x[0] == pytest.approx(20)
    assert bars.x[0] - bars.error_x.arrayminus[0] == pytest.approx(100 * gains["low"].iloc[0])


def test_classes_are_drawn_by_their_gain_over_what_learnt_nothing() -> None:
    (bars,) = class_gains(TOLD).data
    assert sorted(bars.y) == ["a", "b"]
    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert not class_gains(predictions({"pretrained": [0] * 5}, protocol="zero_shot")).data


def test_the_map_keeps_clusters_together_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    centres = 20 * rng.normal(size=(3, 16))
    classes = np.repeat(np.array(["low", "middle", "high"]), 30)
    embeddings = np.repeat(centres, 30, axis=0) + rng.normal(size=(90, 16))
    names = np.array([f"{number}.wav" for number in range(90)])
    figure = draw_map(embeddings, classes, names)
    assert figure == draw_map(embeddings, classes, names)
    middles = [np.array([np.mean(trace.x), np.mean(trace.y)]) for trace in figure.data]
    spread = max(np.hypot(np.std(trace.x), np.std(trace.y)) for trace in figure.data)
    apart = min(np.linalg.norm(one - other) for one in middles for other in middles if one is not other)
    assert apart > 2 * spread
