"""Probabilities that mean what they say, and thresholds that keep a wanted precision."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from xmodal_kedro.adapt.linear import cross_entropies
from xmodal_kedro.evaluation.intervals import number_for, wilson

TEMPERATURES = (0.05, 20.0)
"""Limits of what logits are divided by."""
PRIOR = 40.0
"""Penalty on the square of the temperature's logarithm, in cross-entropy: a normal prior with a standard deviation of
0.11. On ESC-50 with 24 to 320 clips, no temperature was as good as any that was fitted freely."""
CALIBRATION_BINS = 10
ENOUGH = 2.0
"""With so many times the clips that would keep a precision if all were right, a threshold can fail."""


def fit_temperature(logits_NC: NDArray[np.floating], is_heard_NC: NDArray, exclusive: bool) -> float:
    """The temperature of the lowest cross-entropy: Guo et al., "On calibration of modern neural networks" (2017).

    A prior keeps it near 1 for few clips, where the strength of the regression, which is chosen by the same measure,
    has calibrated scores already. Without it, a few clips that are all right would make every score 0 or 1.

    Args:
        logits_NC: of clips that the classifier was not fitted on [clips, classes].
        is_heard_NC: as `Targets.is_heard`.
        exclusive: whether scores are a softmax.
    """

    def loss(log_temperature: float) -> float:
        scaled_NC = logits_NC / math.exp(log_temperature)
        prior = PRIOR * log_temperature**2
        return float(cross_entropies(scaled_NC, is_heard_NC, exclusive).sum()) + prior

    bounds = tuple(math.log(limit) for limit in TEMPERATURES)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def scores_of(logits_NC: NDArray[np.floating], temperature: float, exclusive: bool) -> NDArray[np.float64]:
    """Probabilities [clips, classes]."""
    scaled_NC = logits_NC / temperature
    scores_NC: NDArray[np.float64] = softmax(scaled_NC, axis=1) if exclusive else expit(scaled_NC)
    return scores_NC


def held_out_scores(
    logits_NC: NDArray[np.floating], is_heard_NC: NDArray, folds_N: NDArray, exclusive: bool
) -> NDArray[np.float64]:
    """Probabilities of held-out clips, each fold by the temperature of the others, so that nothing of it is known."""
    scores_NC = np.zeros(logits_NC.shape)
    for fold in np.unique(folds_N):
        own_N = folds_N == fold
        temperature = fit_temperature(logits_NC[~own_N], is_heard_NC[~own_N], exclusive)
        scores_NC[own_N] = scores_of(logits_NC[own_N], temperature, exclusive)
    return scores_NC


def calibration_error(scores_NC: NDArray, is_heard_NC: NDArray, exclusive: bool) -> float:
    """Expected calibration error: the mean distance of score and share that is right, over bins of equal width.

    Of the highest score of each clip where classes exclude each other, as Guo et al.; else of every known score.
    """
    if exclusive:
        best_N = scores_NC.argmax(1)
        rows = np.arange(len(scores_NC))
        scores_M, right_M = scores_NC[rows, best_N], is_heard_NC[rows, best_N]
    else:
        known_NC = ~np.isnan(is_heard_NC)
        scores_M, right_M = scores_NC[known_NC], is_heard_NC[known_NC]
    bins_M = np.minimum((scores_M * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    distances = [
        (bins_M == at).sum() * abs(scores_M[bins_M == at].mean() - right_M[bins_M == at].mean())
        for at in np.unique(bins_M)
    ]
    return float(np.sum(distances) / max(1, len(scores_M)))


class Threshold(NamedTuple):
    """A score from which on a class keeps a precision.

    Attributes:
        score: lowest one.
        precision: of the clips at or above it.
        low: lower end of its interval.
        recall: share of the clips of the class that are at or above it.
        clips: at or above it.
    """

    score: float
    precision: float
    low: float
    recall: float
    clips: int


def keep_precision(
    scores_N: NDArray[np.floating], is_heard_N: NDArray, precision: float, confidence: float
) -> Threshold | None:
    """The lowest threshold from which the precision is at least the wanted one, with the wanted confidence.

    Thresholds are tried from the highest score downward. The first that does not keep the precision ends the search,
    unless there are too few clips above it to show anything; so a threshold is not the luckiest of many. As in
    `review.precision.precision_thresholds`.

    Args:
        scores_N: of held-out clips in which the class is known.
        is_heard_N: 1 or 0 [clips].
        precision: wanted.
        confidence: of the lower end of a Wilson interval, see `evaluation.intervals.wilson`.

    Returns:
        None if no threshold keeps it: with so few clips, not even clips that are all right show it.
    """
    order = np.argsort(-scores_N, kind="stable")
    sorted_N, right_N = scores_N[order], np.cumsum(is_heard_N[order])
    ends = np.flatnonzero(np.append(np.diff(sorted_N) != 0, True)) if len(order) else np.zeros(0, int)
    enough, found = ENOUGH * number_for(1.0, precision, confidence), None
    for end in ends:
        clips, right = int(end) + 1, float(right_N[end])
        low = wilson(right / clips, clips, confidence)[0]
        if low >= precision:
            recall = right / max(1.0, float(is_heard_N.sum()))
            found = Threshold(float(sorted_N[end]), right / clips, low, recall, clips)
        elif found or clips >= enough:
            break
    return found


def clips_needed(precision: float, confidence: float) -> int:
    """Clips that have to be right, all of them, for the lower end of the interval to reach a precision."""
    return math.ceil(number_for(1.0, precision, confidence) - 1e-6)
