from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tests.adapt.test_linear import ONE, corpus
from xmodal_kedro.adapt.curve import MORE, learning_curve
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.schemas import AdaptCurve


def test_more_clips_tell_more_and_the_curve_is_continued() -> None:
    vectors, targets = corpus({"a": 50, "b": 50, "c": 50}, size=30, spread=6.0)
    curve = AdaptCurve.validate(learning_curve(vectors, targets, ONE))
    measured, continued = curve[~curve["continued"]], curve[curve["continued"]]
    assert measured["clips_per_class"].tolist() == [2, 4, 8, 16, 32, 40]
    assert measured["value"].iloc[-1] > measured["value"].iloc[0] + 0.1
    assert continued["clips_per_class"].tolist() == [40 + MORE]
    assert measured["value"].iloc[-1] < continued["value"].iloc[0] < 1


def test_the_last_point_is_that_of_all_clips() -> None:
    vectors, targets = corpus({"a": 20, "b": 20}, spread=4.0)
    curve = learning_curve(vectors, targets, ONE)
    last = curve[~curve["continued"]].iloc[-1]
    from xmodal_kedro.adapt.linear import held_out_logits

    right = held_out_logits(vectors, targets, ONE).argmax(1) == targets.truths
    assert last["value"] == np.mean(right) and math.isnan(last["std"])


def test_a_perfect_classifier_is_not_continued() -> None:
    vectors, targets = corpus({"a": 20, "b": 20}, spread=0.01)
    assert not learning_curve(vectors, targets, ONE)["continued"].any()


def test_answers_about_one_class_each_have_a_curve_as_far_as_they_teach_a_class() -> None:
    classes, clips = 6, 60
    rng = np.random.default_rng(0)
    is_heard = np.full((clips, classes), np.nan)
    asked = np.arange(clips) % classes
    is_heard[np.arange(clips), asked] = np.arange(clips) // classes % 3 > 0
    vectors = rng.normal(size=(clips, 20)) + 3 * np.nan_to_num(is_heard) @ rng.normal(size=(classes, 20))
    names = tuple(f"c{at}" for at in range(clips))
    targets = Targets(
        names, tuple("abcdef"), is_heard, np.arange(clips), np.arange(clips) // classes % 2, exclusive=False
    )
    curve = AdaptCurve.validate(learning_curve(vectors, targets, ONE))
    assert len(curve) and curve["value"].between(0, 1).all()
    nothing = np.where(is_heard == 0, np.nan, is_heard)
    none_taught = AdaptCurve.validate(learning_curve(vectors, replace(targets, is_heard=nothing), ONE))
    assert none_taught.empty
