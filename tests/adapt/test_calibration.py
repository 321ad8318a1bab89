from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from xmodal_kedro.adapt.calibration import (
    calibration_error,
    clips_needed,
    fit_temperature,
    held_out_scores,
    keep_precision,
    scores_of,
)
from xmodal_kedro.evaluation.intervals import wilson


def drawn(clips: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes that are drawn by their softmax."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((clips, classes))
    truths = [rng.choice(classes, p=p) for p in softmax(logits, axis=1)]
    return logits, np.eye(classes)[truths]


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_logits_were_multiplied_by(factor: float) -> None:
    logits, is_heard = drawn(4000, 4)
    assert fit_temperature(factor * logits, is_heard, exclusive=True) == pytest.approx(factor, rel=0.08)


def test_the_temperature_of_independent_classes_takes_what_is_known() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((4000, 2))
    is_heard = (rng.random(logits.shape) < expit(logits)).astype(float)
    is_heard[:2000, 1] = np.nan
    assert fit_temperature(2 * logits, is_heard, exclusive=False) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("exclusive", [True, False])
def test_few_clips_that_are_all_right_leave_the_temperature_near_one(exclusive: bool) -> None:
    is_heard = np.eye(3)[np.arange(24) % 3]
    logits = 3 * is_heard - 3 * (1 - is_heard)
    assert fit_temperature(logits, is_heard, exclusive) == pytest.approx(1, abs=0.25)


def test_calibrated_scores_have_a_small_error_and_sure_ones_a_large_one() -> None:
    logits, is_heard = drawn(4000, 4)
    assert calibration_error(scores_of(logits, 1.0, True), is_heard, True) < 0.03
    assert calibration_error(scores_of(5 * logits, 1.0, True), is_heard, True) > 0.1


def test_a_fold_is_calibrated_by_the_others() -> None:
    logits, is_heard = drawn(400, 3)
    folds = np.arange(400) % 2
    scores = held_out_scores(logits, is_heard, folds, True)
    changed = is_heard.copy()
    changed[folds == 0] = np.roll(changed[folds == 0], 1, axis=1)
    np.testing.assert_array_equal(held_out_scores(logits, changed, folds, True)[folds == 0], scores[folds == 0])


def test_the_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    scores = np.linspace(1, 0, 200)
    is_heard = np.concatenate([np.ones(60), np.zeros(140)])
    found = keep_precision(scores, is_heard, 0.9, 0.9)
    assert found is not None
    above = scores >= found.score
    assert found.clips == above.sum() > 60 and found.precision == pytest.approx(is_heard[above].mean())
    assert found.low >= 0.9 and found.recall == 1.0
    assert wilson(60 / (found.clips + 1), found.clips + 1, 0.9)[0] < 0.9


def test_equal_scores_are_kept_or_left_together() -> None:
    scores, is_heard = np.full(40, 0.7), np.ones(40)
    is_heard[:10] = 0
    assert keep_precision(scores, is_heard, 0.9, 0.9) is None


def test_too_few_clips_show_nothing_and_as_many_as_are_needed_do() -> None:
    needed = clips_needed(0.9, 0.9)
    assert needed == 24
    assert keep_precision(np.full(needed, 0.9), np.ones(needed), 0.9, 0.9) is not None
    assert keep_precision(np.full(needed - 1, 0.9), np.ones(needed - 1), 0.9, 0.9) is None
    assert keep_precision(np.zeros(0), np.zeros(0), 0.9, 0.9) is None


def test_a_threshold_keeps_its_promise_as_often_as_it_says() -> None:
    """Scores that say nothing, and clips of which 0.88 are right: in one draw of ten at most there is a threshold."""
    rng = np.random.default_rng(0)
    found = [keep_precision(rng.random(60), (rng.random(60) < 0.88).astype(float), 0.9, 0.9) for _ in range(400)]
    assert np.mean([each is not None for each in found]) < 0.13


def test_a_higher_precision_never_lowers_the_threshold() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(500)
    is_heard = (rng.random(500) < scores).astype(float)
    found = [keep_precision(scores, is_heard, wanted, 0.9) for wanted in (0.6, 0.7, 0.8, 0.9)]
    kept = [each.score for each in found if each]
    assert kept == sorted(kept) and len(kept) >= 3
