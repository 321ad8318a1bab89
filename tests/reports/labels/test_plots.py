"""Plots of the labels."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.reports.labels import world
from tests.reports.labels.world import summary, vocabulary
from xmodal_kedro.params import AgreementParams
from xmodal_kedro.reports.labels.plots import (
    BARS,
    MATRIX_SIDE,
    TOP_CLASSES,
    association_matrix,
    count_scores,
    label_histogram,
    plot_scores,
    strongest,
)

EVIDENCE = AgreementParams(min_videos=5)


def test_the_most_frequent_classes_are_shown_from_the_top() -> None:
    names = [f"class {at:02d}" for at in range(50)]
    many = pd.DataFrame(
        {"index": range(50), "name": names, "modality": ["visual", "audio"] * 25, "clip_count": range(1, 51)}
    )
    figure = label_histogram(many, summary())
    shown = {name: count for bar in figure.data for name, count in zip(bar.y, bar.x, strict=True)}
    assert shown == {name: count for name, count in zip(names, range(1, 51), strict=True) if count > 50 - TOP_CLASSES}
    assert [bar.name for bar in figure.data] == ["visual", "audio"]
    assert figure.layout.yaxis.categoryarray[-1] == "class 49"


def test_its_title_sums_up_all_clips() -> None:
    title = label_histogram(vocabulary(), summary()).layout.title.text
    assert title == "4 classes over 4 clips: 3 labelled by the visual teacher, 3 by the audio teacher, 3 with a target"


def test_labels_are_counted_by_the_step_of_their_score() -> None:
    counts = count_scores(world.survey())
    assert {modality: count.nonzero()[0].tolist() for modality, count in counts.items()} == {
        "visual": [int(0.7 * BARS), int(0.9 * BARS)],
        "audio": [int(0.6 * BARS), int(0.8 * BARS), int(0.9 * BARS)],
    }
    assert counts["audio"].sum() == 3


def test_each_modality_is_drawn_as_shares_of_its_own_labels() -> None:
    figure = plot_scores(world.survey())
    assert [line.name for line in figure.data] == ["visual teacher (2 labels)", "audio teacher (3 labels)"]
    assert all(sum(line.y[:-1]) == pytest.approx(1) for line in figure.data)


def test_a_modality_without_labels_is_not_drawn() -> None:
    assert len(plot_scores({}).data) == 0


def pairs(*rows: tuple[str, str, int, float]) -> pd.DataFrame:
    """Visual class, audio class, videos, and bits."""
    table = pd.DataFrame(rows, columns=["visual", "audio", "videos", "pmi"])
    return table.assign(clips=2 * table["videos"], support="")


def test_pairs_of_few_videos_are_no_evidence_and_those_of_the_highest_pmi_come_first() -> None:
    table = pairs(("dog", "Bark", 5, 3.0), ("cat", "Meow", 9, 4.0), ("chair", "Thunder", 1, 9.0))
    assert strongest(table, EVIDENCE)["visual"].tolist() == ["cat", "dog"]


def test_pairs_that_support_each_other_come_after_those_with_evidence() -> None:
    table = pairs(
        ("dog", "Bark", 5, 3.0), ("owl", "Hoot", 1, 9.0), ("cat", "Meow", 2, 4.0), ("chair", "Thunder", 1, 9.0)
    )
    table["support"] = ["association", "same", "ancestor", ""]
    assert strongest(table, EVIDENCE)["visual"].tolist() == ["dog", "owl", "cat"]


def test_the_matrix_has_the_strongest_pairs_along_its_diagonal() -> None:
    table = pairs(("dog", "Bark", 5, 3.0), ("cat", "Meow", 9, 4.0), ("dog", "Meow", 7, -1.0))
    (cells,) = association_matrix(table, EVIDENCE).data
    assert (list(cells.y), list(cells.x)) == (["cat", "dog"], ["Meow", "Bark"])
    assert [list(row) for row in cells.z] == [[4.0, None], [-1.0, 3.0]]
    assert tuple(cells.customdata[1][0]) == (14, 7)
    assert (cells.zmin, cells.zmax) == (-4.0, 4.0), "white is chance"


def test_of_very_many_classes_those_of_the_strongest_pairs_are_drawn() -> None:
    table = pairs(*[(f"seen {at}", f"heard {at}", 5, 50.0 - at) for at in range(40)])
    figure = association_matrix(table, EVIDENCE)
    assert len(figure.data[0].x) == len(figure.data[0].y) == MATRIX_SIDE
    assert figure.layout.title.text == "40 pairs of classes that support each other or are in 5 videos"


def test_a_corpus_without_pairs_gives_an_empty_matrix() -> None:
    assert len(association_matrix(world.associations().head(0), EVIDENCE).data[0].y) == 0
