from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from xmodal_kedro.adapt.targets import NONE_OF_THESE, make_targets
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.labelled import CLIP_COLUMNS
from xmodal_kedro.params import AdaptParams

NO_REVIEW = pd.DataFrame(columns=["clip_id", "video_id", "right", "wrong", "audio"])
NO_TABLE = pd.DataFrame(columns=list(CLIP_COLUMNS))


def table(labels: list[str], groups: list[str] | None = None, folds: list[int] | None = None) -> pd.DataFrame:
    """A clip for each text of labels joined by `|`."""
    rows = [
        (f"c{at}.wav", f"c{at}.wav", 0.0, math.inf, tuple(cell.split("|")) if cell else (), f"c{at}.wav", 0)
        for at, cell in enumerate(labels)
    ]
    made = pd.DataFrame(rows, columns=list(CLIP_COLUMNS))
    return made.assign(**({"group": groups} if groups else {}), **({"fold": folds} if folds else {}))


def reviewed(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Video, right and wrong classes of each clip."""
    return pd.DataFrame(
        [(f"r{at}", video, right, wrong, b"") for at, (video, right, wrong) in enumerate(rows)],
        columns=NO_REVIEW.columns,
    )


def test_clips_of_one_class_each_exclude_each_other_and_an_empty_label_is_a_class_of_its_own() -> None:
    targets = make_targets(table(["a", "b", "a", "b", "", ""]), NO_REVIEW, AdaptParams())
    assert targets.exclusive and targets.classes == ("a", "b", NONE_OF_THESE)
    assert (targets.is_heard.sum(1) == 1).all()
    assert targets.truths.tolist() == [0, 1, 0, 1, 2, 2]


def test_a_clip_of_two_labels_makes_classes_independent_and_others_of_the_table_are_known_to_be_silent() -> None:
    targets = make_targets(table(["a", "b", "a|b", "", "a", ""]), NO_REVIEW, AdaptParams())
    assert not targets.exclusive and targets.classes == ("a", "b")
    assert targets.is_heard.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 0]]


def test_of_a_reviewed_clip_only_what_was_asked_is_known() -> None:
    clips = reviewed(
        ("v1", "a", ""), ("v2", "a", "b"), ("v3", "", "a"), ("v4", "b", "a"), ("v5", "b", ""), ("v6", "", "b")
    )
    targets = make_targets(NO_TABLE, clips, AdaptParams())
    assert not targets.exclusive
    np.testing.assert_array_equal(
        targets.is_heard, [[1, np.nan], [1, 0], [0, np.nan], [0, 1], [np.nan, 1], [np.nan, 0]]
    )


def test_a_label_of_the_table_says_nothing_of_classes_that_only_reviewers_named_and_an_empty_one_does() -> None:
    clips = reviewed(("v1", "Dog", ""), ("v2", "Dog", ""), ("v3", "", "Dog"), ("v4", "", "Dog"))
    targets = make_targets(table(["a", "a", "b", "b", ""]), clips, AdaptParams())
    assert targets.classes == ("Dog", "a", "b")
    np.testing.assert_array_equal(targets.is_heard[:5, 0], [np.nan, np.nan, np.nan, np.nan, 0])
    np.testing.assert_array_equal(targets.is_heard[:5, 1], [1, 1, 0, 0, 0])


def test_clips_of_one_recording_are_one_group_whether_labelled_or_reviewed() -> None:
    clips = reviewed(("v0", "a", ""), ("v9", "a", ""), ("v8", "", "a"))
    targets = make_targets(table(["a", "", "b", "b"]), clips, AdaptParams(), {"v0": "c0.wav", "v7": "c1.wav"})
    groups = dict(zip(targets.clips, targets.groups.tolist(), strict=True))
    assert groups["r0"] == groups["c0.wav"] and len(set(groups.values())) == 6


def test_no_group_is_in_two_folds_and_every_clip_is_in_one() -> None:
    groups = [f"g{at // 3}" for at in range(60)]
    targets = make_targets(table(["a", "b"] * 30, groups), NO_REVIEW, AdaptParams())
    folds_of = pd.Series(targets.folds).groupby(groups).nunique()
    assert (folds_of == 1).all()
    assert len(np.unique(targets.folds)) == 5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("one", ["", "a|b"])
def test_one_clip_of_another_kind_does_not_make_the_folds_fewer(one: str) -> None:
    targets = make_targets(table([*["a", "b"] * 8, "a|b", "a|b", one]), NO_REVIEW, AdaptParams())
    assert not targets.exclusive and len(np.unique(targets.folds)) == 5


def test_folds_of_the_table_are_kept() -> None:
    targets = make_targets(table(["a", "b"] * 3, folds=[3, 3, 7, 7, 9, 9]), NO_REVIEW, AdaptParams())
    assert targets.folds.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_order_of_rows_does_not_change_what_is_known() -> None:
    clips = table(["a", "b", "a", "b", "a", "b"])
    forward = make_targets(clips, NO_REVIEW, AdaptParams())
    backward = make_targets(clips.iloc[::-1].reset_index(drop=True), NO_REVIEW, AdaptParams())
    assert dict(zip(forward.clips, forward.truths, strict=True)) == dict(
        zip(backward.clips, backward.truths, strict=True)
    )


def test_a_class_of_one_clip_is_named_with_what_is_needed() -> None:
    with pytest.raises(UserError, match="class rare .*1 clip.*at least 2"):
        make_targets(table(["a", "b", "a", "b", "rare"]), NO_REVIEW, AdaptParams())


def test_a_class_of_one_recording_cannot_be_held_out() -> None:
    with pytest.raises(UserError, match="class b .*2 clips of 1 recording"):
        make_targets(table(["a", "a", "b", "b"], ["x", "y", "z", "z"]), NO_REVIEW, AdaptParams())


def test_a_class_that_reviewers_seldom_named_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    clips = reviewed(("v1", "a|c", ""), ("v2", "a", ""), ("v3", "", "a|c"), ("v4", "", "a"))
    assert make_targets(NO_TABLE, clips, AdaptParams()).classes == ("a",)
    assert "c (1 right, 1 wrong)" in caplog.text


def test_nothing_labelled_is_said_with_what_to_do() -> None:
    with pytest.raises(UserError, match="labelled=FOLDER"):
        make_targets(NO_TABLE, NO_REVIEW, AdaptParams())


def test_what_contradicts_exclusive_classes_is_named() -> None:
    with pytest.raises(UserError, match="c1.wav .*a and b"):
        make_targets(table(["a", "a|b", "b", "b"]), NO_REVIEW, AdaptParams(exclusive=True))
    with pytest.raises(UserError, match="review"):
        make_targets(NO_TABLE, reviewed(("v1", "a", "")), AdaptParams(exclusive=True))
