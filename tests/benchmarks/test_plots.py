from __future__ import annotations

import pandas as pd

from xmodal_kedro.benchmarks.plots import confusion_matrix

ROWS = [
    ("pretrained", "dog", "dog"),
    ("pretrained", "dog", "sea_waves"),
    ("pretrained", "sea_waves", "sea_waves"),
    ("random", "sea_waves", "dog"),
]


def test_rows_are_true_classes_of_the_pretrained_network_and_sum_to_one() -> None:
    predictions = pd.DataFrame(ROWS, columns=["initialisation", "truth", "predicted"])
    heatmap = confusion_matrix(predictions).data[0]
    assert list(heatmap.y) == list(heatmap.x) == ["dog", "sea waves"]
    assert [list(row) for row in heatmap.z] == [[0.5, 0.5], [0.0, 1.0]]
    assert [list(row) for row in heatmap.text] == [["1", "1"], ["", "1"]]


def test_many_classes_are_left_without_written_counts() -> None:
    names = [f"class {number}" for number in range(50)]
    predictions = pd.DataFrame({"initialisation": "pretrained", "truth": names, "predicted": names})
    heatmap = confusion_matrix(predictions).data[0]
    assert heatmap.texttemplate is None and len(heatmap.z) == 50
