"""How well heads on each representation classify clips that they were not fitted on, and which one is used."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from xmodal_kedro.adapt.calibration import (
    calibration_error,
    fit_temperature,
    held_out_scores,
    keep_precision,
    scores_of,
)
from xmodal_kedro.adapt.linear import UNKNOWN_LOGIT, fit_head, held_out_logits
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.errors import UserError
from xmodal_kedro.models.card_file import FINE_TUNED, NETWORK, TEACHER
from xmodal_kedro.params import AdaptParams

logger = logging.getLogger(__name__)

LOG_MEL = "log_mel"
"""Statistics of the log-mel spectrogram, to compare with: what is known without learning."""
ACCURACY, MEAN_AP = "accuracy", "mean_average_precision"


@dataclass(frozen=True)
class HeldOut:
    """Held-out clips as one representation classifies them.

    Attributes:
        scores: probabilities of each clip by what the other folds teach, strengths and calibration included [clips,
            classes].
        in_use: the same with the strengths of the head that is fitted on all clips, and its temperature: these are on
            the scale of the classifier in use, which its thresholds are for [clips, classes].
        is_heard: as `Targets.is_heard`, and NaN too where the other folds teach nothing of a class that does not
            exclude others: it cannot be classified there.
        temperature: of the classifier in use.
        error_before, error_after: calibration error of `scores` without a temperature, and with it.
    """

    scores: NDArray[np.float64]
    in_use: NDArray[np.float64]
    is_heard: NDArray[np.float64]
    temperature: float
    error_before: float
    error_after: float

    @classmethod
    def of(
        cls, logits_NC: NDArray[np.float64], targets: Targets, in_use_NC: NDArray[np.float64] | None = None
    ) -> HeldOut:
        """From logits of held-out clips, and those with the strengths in use if they are others."""
        is_heard_NC, exclusive = targets.is_heard, targets.exclusive
        if not exclusive:
            is_heard_NC = np.where(logits_NC == UNKNOWN_LOGIT, np.nan, is_heard_NC)
        scores_NC = held_out_scores(logits_NC, is_heard_NC, targets.folds, exclusive)
        scale_NC = logits_NC if in_use_NC is None else in_use_NC
        temperature = fit_temperature(scale_NC, is_heard_NC, exclusive)
        return cls(
            scores_NC,
            scores_of(scale_NC, temperature, exclusive),
            is_heard_NC,
            temperature,
            calibration_error(scores_of(logits_NC, 1.0, exclusive), is_heard_NC, exclusive),
            calibration_error(scores_NC, is_heard_NC, exclusive),
        )


def evaluate(vectors: Mapping[str, NDArray[np.floating]], targets: Targets, params: AdaptParams) -> dict[str, HeldOut]:
    """Held-out clips as each representation classifies them.

    Args:
        vectors: by representation, of the clips of `targets` [clips, size].
    """
    found = {}
    for name, vectors_NE in vectors.items():
        strengths = fit_head(vectors_NE, targets, params).strengths
        in_use_NC = held_out_logits(vectors_NE, targets, params, strengths)
        found[name] = HeldOut.of(held_out_logits(vectors_NE, targets, params), targets, in_use_NC)
    return found


def measure(targets: Targets) -> str:
    """By what representations are compared: accuracy where classes exclude each other, else mean average precision."""
    return ACCURACY if targets.exclusive else MEAN_AP


def values_by_fold(held_out: HeldOut, targets: Targets) -> list[tuple[int, str, float]]:
    """Fold, measure and value; of clips whose classes exclude each other, the accuracy of each fold."""
    if targets.exclusive:
        right_N = held_out.scores.argmax(1) == targets.truths
        folds = np.unique(targets.folds)
        return [(int(fold), ACCURACY, float(right_N[targets.folds == fold].mean())) for fold in folds]
    found = []
    for fold in np.unique(targets.folds):
        part = average_precisions(held_out.scores[targets.folds == fold], held_out.is_heard[targets.folds == fold])
        if np.isfinite(part).any():
            found.append((int(fold), MEAN_AP, float(np.nanmean(part))))
    return found


def overall(held_out: HeldOut, targets: Targets) -> float:
    """The measure over all clips."""
    if targets.exclusive:
        return float((held_out.scores.argmax(1) == targets.truths).mean())
    return float(np.nanmean(average_precisions(held_out.scores, held_out.is_heard)))


def average_precisions(scores_NC: NDArray[np.floating], is_heard_NC: NDArray) -> NDArray[np.float64]:
    """Of each class over the clips in which it is known; NaN if it is heard in none of them [classes]."""
    found = np.full(scores_NC.shape[1], np.nan)
    for at, (scores_N, is_heard_N) in enumerate(zip(scores_NC.T, is_heard_NC.T, strict=True)):
        known_N = ~np.isnan(is_heard_N)
        if (is_heard_N[known_N] == 1).any():
            found[at] = min(1.0, average_precision_score(is_heard_N[known_N], scores_N[known_N]))  # 1 + 2e-16 occurs
    return found


def choose_representation(evaluated: Mapping[str, HeldOut], targets: Targets, params: AdaptParams) -> str:
    """The representation that the classifier is made of: as `adapt` says, or the best on held-out clips.

    Raises:
        UserError: if it is the teacher's, and there is none.
    """
    if params.mode == "fine_tune":
        return FINE_TUNED
    if params.representation == TEACHER and TEACHER not in evaluated:
        raise UserError(
            "adapt.representation is teacher, but the audio teacher's card names no embedding: set output.embedding "
            "there, or representation: network in parameters/adapt.yml"
        )
    if params.representation != "auto":
        return params.representation
    candidates = [name for name in (NETWORK, TEACHER) if name in evaluated]
    return max(candidates, key=lambda name: round(overall(evaluated[name], targets), 9))


def results_table(evaluated: Mapping[str, HeldOut], targets: Targets, used: str) -> pd.DataFrame:
    """`schemas.AdaptResults`."""
    rows = [
        (name, fold, metric, value, name == used)
        for name, held_out in evaluated.items()
        for fold, metric, value in values_by_fold(held_out, targets)
    ]
    return pd.DataFrame(rows, columns=["representation", "fold", "metric", "value", "used"])


def predictions_table(held_out: HeldOut, targets: Targets) -> pd.DataFrame:
    """`schemas.AdaptPredictions`."""
    clips, classes = len(targets.clips), len(targets.classes)
    return pd.DataFrame(
        {
            "clip": np.repeat(np.array(targets.clips, object), classes),
            "fold": np.repeat(targets.folds, classes),
            "name": np.tile(np.array(targets.classes, object), clips),
            "score": held_out.scores.ravel(),
            "is_heard": held_out.is_heard.ravel(),
        }
    )


def classes_table(held_out: HeldOut, targets: Targets, params: AdaptParams) -> pd.DataFrame:
    """`schemas.AdaptClasses`."""
    precisions_C = average_precisions(held_out.scores, held_out.is_heard)
    rows = []
    for at, (name, clips) in enumerate(targets.counts().items()):
        is_heard_N = held_out.is_heard[:, at]
        known_N = ~np.isnan(is_heard_N)
        kept = keep_precision(held_out.in_use[known_N, at], is_heard_N[known_N], params.precision, params.confidence)
        stated = (kept.score, kept.precision, kept.low, kept.recall) if kept else (np.nan,) * 4
        rows.append((name, clips, float(precisions_C[at]), *stated))
    columns = ["name", "clips", "average_precision", "threshold", "precision", "low", "recall"]
    return pd.DataFrame(rows, columns=columns)
