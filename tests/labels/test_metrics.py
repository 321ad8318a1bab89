import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.labels import world
from xmodal_kedro.labels.metrics import effective_classes, label_metrics


def test_the_metrics_of_a_small_corpus() -> None:
    metrics = label_metrics(world.summary(), world.vocabulary(), world.dropped())
    assert metrics == pytest.approx(
        {
            "labels.classes": 4,
            "labels.classes.effective": 3.789,
            "labels.classes.dropped": 2,
            "labels.targeted_share": 0.75,
            "labels.classes_per_targeted_clip": 5 / 3,
            "labels.agreeing_share": 0.5,
            "labels.visual.labelled_share": 0.75,
            "labels.visual.best_score": 1.9 / 3,
            "labels.visual.entropy_bits": 0.5 / 3,
            "labels.audio.labelled_share": 0.75,
            "labels.audio.best_score": 2.3 / 3,
            "labels.audio.entropy_bits": 0,
        },
        abs=1e-3,
    )


def test_what_there_is_nothing_to_measure_of_is_left_out() -> None:
    summary = {
        **world.summary(),
        "funnel": {"audio": {}},
        "both": 0,
        "agreeing": 0,
        "best": {"audio": [0.0, 0]},
        "entropy": {"audio": [0.0, 0]},
    }
    metrics = label_metrics(summary, world.vocabulary(), world.dropped())  # type: ignore[arg-type]
    assert "labels.agreeing_share" not in metrics
    assert not [name for name in metrics if name.startswith("labels.visual") or name.endswith("score")]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_classes_are_as_diverse_as_one_to_all_of_them(counts: list[int]) -> None:
    effective = effective_classes(pd.Series(counts))
    assert 1 - 1e-9 <= effective <= len(counts) + 1e-9
    assert effective_classes(pd.Series([7] * len(counts))) == pytest.approx(len(counts))
