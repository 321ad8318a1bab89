"""Scores that mean what they say have no calibration error."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.check.small_corpus import PARAMS, clip_truth, label_shard, meaning, target_shard
from xmodal_kedro.labels.check.calibration import expected_calibration_error, reliability
from xmodal_kedro.labels.check.statements import collect_statements
from xmodal_kedro.schemas import LabelReliability

VOCABULARY = pd.DataFrame({"index": [0], "name": ["Dog"]})


def table_of(scores: list[float], right: list[bool]) -> pd.DataFrame:
    """One clip a label, the audio teacher's."""
    clips = [f"{at:03d}" for at in range(len(scores))]
    truth = clip_truth({clip: "Dog" if is_right else "" for clip, is_right in zip(clips, right, strict=True)})
    audio = label_shard([(clip, "Dog", score) for clip, score in zip(clips, scores, strict=True)])
    shards = ({"shard-all": shard} for shard in (label_shard([]), audio, target_shard({})))
    known = meaning()
    return reliability(collect_statements(truth, *shards, VOCABULARY, known, PARAMS), known)


def test_labels_that_are_right_as_often_as_they_say_have_no_error() -> None:
    exact = table_of([0.25] * 4 + [0.75] * 4, [True, False, False, False, True, True, True, False])
    LabelReliability.validate(exact)
    bins = exact[exact["match"] == "exact"]
    assert bins[["bin", "labelled", "mean_score", "right"]].values.tolist() == [[2, 4, 0.25, 0.25], [7, 4, 0.75, 0.75]]
    assert expected_calibration_error(bins) == pytest.approx(0)


def test_labels_that_are_surer_than_right_have_their_distance() -> None:
    bins = table_of([1.0, 1.0, 0.5, 0.5], [True, False, True, False])
    assert expected_calibration_error(bins[bins["match"] == "exact"]) == pytest.approx(0.25)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=40))
def test_every_label_is_in_one_bin_that_its_score_belongs_to(drawn: list[tuple[float, bool]]) -> None:
    table = table_of([score for score, _ in drawn], [right for _, right in drawn])
    LabelReliability.validate(table)
    bins = table[table["match"] == "exact"]
    assert bins["labelled"].sum() == len(drawn)
    assert (bins["labelled"] * bins["right"]).sum() == pytest.approx(sum(right for _, right in drawn))
    assert (bins["mean_score"] >= bins["bin"] / 10 - 1e-6).all()
    assert (bins["mean_score"] <= (bins["bin"] + 1) / 10 + 1e-6).all()
    assert 0 <= expected_calibration_error(bins) <= 1


def test_without_any_label_the_table_is_empty_and_still_one() -> None:
    assert LabelReliability.validate(reliability([], meaning())).empty
