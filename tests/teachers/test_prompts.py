"""What similarities to prompts mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax

from xmodal_kedro.params.teachers import PromptedClass
from xmodal_kedro.teachers.prompts import Calibration, Prompts


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def random_prompts(seed: int = 0) -> tuple[Prompts, NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    prompts = Prompts(("a", "b"), unit(draw.normal(size=(2, 16))), unit(draw.normal(size=(5, 16))), 20.0)
    return prompts, unit(draw.normal(size=(40, 16)))


def test_probabilities_are_a_softmax_and_log_odds_are_theirs() -> None:
    prompts, embedding_NE = random_prompts()
    logits_NK = 20.0 * embedding_NE @ np.concatenate([prompts.class_CE, prompts.background_PE]).T
    expected_NC = softmax(logits_NK.astype(np.float64), axis=1)[:, :2]
    np.testing.assert_allclose(prompts.probabilities(embedding_NE), expected_NC, rtol=1e-4)
    np.testing.assert_allclose(prompts.log_odds(embedding_NE), np.log(expected_NC / (1 - expected_NC)), rtol=1e-3)


def test_log_odds_stay_exact_where_probabilities_are_one() -> None:
    prompts = Prompts(("a",), np.eye(1, 2, dtype=np.float32), np.eye(2, dtype=np.float32)[1:], 500.0)
    np.testing.assert_allclose(prompts.log_odds(np.array([[1.0, 0.0], [0.0, 1.0]])), [[500.0], [-500.0]])


def test_prompts_of_a_class_are_averaged() -> None:
    texts = {"x": [1.0, 0.0], "y": [0.0, 1.0], "other": [0.6, 0.8]}
    embedded = Prompts.of(
        [PromptedClass(name="both", prompts=("x", "y"))],
        ["other"],
        lambda names: np.array([texts[name] for name in names], np.float32),
        10.0,
    )
    np.testing.assert_allclose(embedded.class_CE, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def planted(
    share_C: NDArray[np.floating], offset_C: NDArray[np.floating], std_C: NDArray[np.floating], strength: float = 5.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log odds of a corpus in which each class has its own offset and spread, and which clips have it."""
    draw = np.random.default_rng(1)
    has_NC = draw.random((8000, len(share_C))) < share_C
    return offset_C + std_C * (draw.normal(size=has_NC.shape) + strength * has_NC), has_NC


def test_one_threshold_means_the_same_for_classes_of_all_offsets_spreads_and_rates() -> None:
    share_C = np.array([0.002, 0.02, 0.1, 0.25])
    log_odds_NC, has_NC = planted(share_C, np.array([-12.0, -3.0, 0.0, 4.0]), np.array([0.2, 1.0, 2.0, 0.5]))
    scores_NC = Calibration.of(log_odds_NC).scores(log_odds_NC)
    false_C = np.array([np.mean(scores_NC[~has_NC[:, c], c] >= 0.5) for c in range(4)])
    found_C = np.array([np.mean(scores_NC[has_NC[:, c], c] >= 0.5) for c in range(4)])
    assert false_C.max() < 0.003  # one in 740 by chance
    assert found_C[:3].min() > 0.9  # 97.7 % if nothing else had it
    assert found_C[3] > 0.75  # a class that a quarter of all clips have raises its own median
    raw = [np.mean(log_odds_NC[~has_NC[:, c], c] > -1) for c in range(4)]  # one raw threshold for all
    assert max(raw) > 0.9
    assert min(raw) < 0.001


@given(
    st.permutations(range(12)),
    st.floats(-50, 50),
    st.floats(0.01, 100),
)
@settings(deadline=None)
def test_calibrated_scores_depend_on_neither_order_nor_offset_nor_scale(
    order: list[int], offset: float, scale: float
) -> None:
    log_odds_NC = np.random.default_rng(0).normal(size=(12, 3))
    scores_NC = Calibration.of(log_odds_NC).scores(log_odds_NC)
    changed_NC = log_odds_NC[order] * scale + offset
    np.testing.assert_allclose(Calibration.of(changed_NC).scores(changed_NC), scores_NC[order], rtol=1e-4, atol=1e-6)
    assert (np.argsort(scores_NC[:, 0]) == np.argsort(log_odds_NC[:, 0])).all()


def test_a_corpus_of_equal_clips_has_no_labels() -> None:
    log_odds_NC = np.full((20, 2), 3.25)
    assert Calibration.of(log_odds_NC).scores(log_odds_NC).max() < 0.01


def test_score_levels_are_those_of_the_docs() -> None:
    calibration = Calibration(np.zeros(1), np.ones(1))
    scores = calibration.scores(np.array([[2.0], [3.0], [4.0]]))[:, 0]
    assert scores == pytest.approx([0.12, 0.5, 0.88], abs=0.005)
