import pytest
from tests.reports.labels import world

from xmodal_kedro.reports.labels.scores import BARS, count_scores, plot_scores


def test_labels_are_counted_by_the_step_of_their_score() -> None:
    counts = count_scores(world.survey())
    assert {modality: count.nonzero()[0].tolist() for modality, count in counts.items()} == {
        "visual": [int(0.7 * BARS), int(0.9 * BARS)],
        "audio": [int(0.6 * BARS), int(0.8 * BARS), int(0.9 * BARS)],
    }
    assert counts["audio"].sum() == 3


def test_each_modality_is_drawn_as_shares_of_its_own_labels() -> None:
    figure = plot_scores(world.survey())
    assert [line.name for line in figure.data] == ["by sight (2 labels)", "by ear (3 labels)"]
    assert all(sum(line.y[:-1]) == pytest.approx(1) for line in figure.data)


def test_a_modality_without_labels_is_not_drawn() -> None:
    assert len(plot_scores({}).data) == 0
