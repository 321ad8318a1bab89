"""The report of the check of labels, and its diagram."""

from __future__ import annotations

import pandas as pd

from tests.labels.check.small_corpus import meaning
from tests.labels.check.test_calibration import table_of
from tests.reports.pages import table_rows, without_plotly
from xmodal_kedro.labels.check.calibration import reliability
from xmodal_kedro.labels.check.quality import COLUMNS
from xmodal_kedro.reports.label_check import MAX_CLASSES, LabelCheckReport, reliability_diagram


def quality(names: list[str]) -> pd.DataFrame:
    """Classes of the audio teacher, each right in half of its clips; and the averages."""
    rates = dict.fromkeys(("precision", "recall", "f1", "average_precision", "hit", "top1", "top5"), 0.5)
    shared = {"labels": "audio", "against": "heard", "audioset_id": "", "clips": 2, "labelled": 2, **rates}
    rows = [{**shared, "match": match, "average": "micro", "name": ""} for match in ("exact", "branch")]
    rows += [{**shared, "match": "exact", "average": "class", "name": name} for name in names]
    return pd.DataFrame(rows, columns=COLUMNS)


def report(names: list[str]) -> LabelCheckReport:
    truth = pd.DataFrame({"clip_id": ["a", "b"], "video_id": ["v", "v"]})
    return LabelCheckReport(quality(names), truth, reliability_diagram(table_of([1.0, 1.0], [True, False])))


def page(names: list[str]) -> str:
    return without_plotly(report(names).render())


def test_the_page_has_the_averages_and_every_class() -> None:
    rows = table_rows(page(["Dog", "<Cat>"]))
    title = "Audio teacher, heard"
    for match in ("same class", "same branch"):
        assert [f"{title}, {match}", "2", *["50"] * 6] in rows
    assert ["Dog", "2", "2", *["50"] * 4] in rows and ["&lt;Cat&gt;", "2", "2", *["50"] * 4] in rows


def test_of_very_many_classes_some_are_shown_and_the_page_says_so() -> None:
    many = page([f"class {number:03d}" for number in range(MAX_CLASSES + 1)])
    assert f"The {MAX_CLASSES} classes of most clips, of {MAX_CLASSES + 1}." in many
    assert f"class {MAX_CLASSES - 1:03d}" in many and f"class {MAX_CLASSES:03d}" not in many


def test_the_diagram_shows_each_teacher_with_its_error() -> None:
    figure = reliability_diagram(table_of([1.0, 1.0], [True, False]))
    assert [trace.name for trace in figure.data] == ["calibrated", "Audio teacher, heard (error 0.50)"]


def test_without_labels_there_is_an_empty_diagram() -> None:
    assert len(reliability_diagram(reliability([], meaning())).data) == 1
