"""Measures of multi-label classification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def average_precision(positive_N: NDArray[np.bool_], score_N: NDArray[np.floating]) -> float:
    """Area under the precision-recall steps: the sum over thresholds of (R_n - R_n-1) P_n.

    Equal scores share one threshold, so their order does not matter. Scikit-learn's differs in the last bit, which
    would change stored histories.

    Args:
        positive_N: which examples have the class, at least one.
        score_N: of the model, on any monotone scale.
    """
    order = np.argsort(-score_N, kind="stable")
    hits = np.cumsum(positive_N[order])
    last_of_threshold = np.append(np.diff(score_N[order]) != 0, True)
    hits_at = hits[last_of_threshold]
    precision = hits_at / (np.flatnonzero(last_of_threshold) + 1)
    recall_gain = np.diff(hits_at, prepend=0) / hits[-1]
    return float(np.sum(recall_gain * precision))


def mean_average_precision(targets_NC: NDArray[np.floating], scores_NC: NDArray[np.floating]) -> float:
    """Mean of the classes' average precision ("mAP" of AudioSet), over classes that have a positive example.

    Args:
        targets_NC: target weights [examples, classes]; above 0 is positive. At least one is.
        scores_NC: scores [examples, classes]; any monotone scale.
    """
    positive_NC = targets_NC > 0
    present = np.flatnonzero(positive_NC.any(axis=0))
    return float(np.mean([average_precision(positive_NC[:, c], scores_NC[:, c]) for c in present]))
