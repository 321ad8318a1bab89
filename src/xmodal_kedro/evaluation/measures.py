"""Measures of a classifier, by the names that benchmarks give them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def accuracy(truth_N: NDArray, predicted_N: NDArray) -> float:
    """Share of clips whose prediction is right."""
    return float(np.mean(truth_N == predicted_N))


def class_accuracy(truth_N: NDArray, predicted_N: NDArray) -> float:
    """Mean over classes of the recall: DCASE's accuracy by scene."""
    right_N = truth_N == predicted_N
    return float(np.mean([right_N[truth_N == name].mean() for name in np.unique(truth_N)]))


def class_precision(truth_N: NDArray, predicted_N: NDArray) -> float:
    """Mean over classes of the precision; 0 for a class that is never predicted."""
    right_N = truth_N == predicted_N
    called = [predicted_N == name for name in np.unique(truth_N)]
    return float(np.mean([right_N[so_N].mean() if so_N.any() else 0.0 for so_N in called]))


MEASURES: dict[str, Callable[[NDArray, NDArray], float]] = {
    "accuracy": accuracy,
    "class_accuracy": class_accuracy,
    "class_precision": class_precision,
}
"""Of true and predicted class names [clips], 0..1."""
