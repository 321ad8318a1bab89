"""Pretrained against random, fold by fold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

PRETRAINED, RANDOM = "pretrained", "random"


def fold_accuracies(predictions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy (0..1) of each initialisation (columns) on each test fold (rows)."""
    right = predictions.assign(right=predictions["truth"] == predictions["predicted"])
    return right.pivot_table(index="fold", columns="initialisation", values="right", aggfunc="mean").astype("float64")


def paired_p_value(gains: np.ndarray, test_to_training: float) -> float:
    """Two-sided p of "the mean gain is zero", by the corrected resampled t-test.

    The training sets of two folds overlap, so their gains are not independent, and a plain paired t-test finds too
    much. Nadeau and Bengio, "Inference for the generalization error" (2003), widen its variance from s²/k to
    (1/k + test size / training size) s².

    Args:
        gains: differences, one for each of k folds.
        test_to_training: size of a test fold over the size of its training folds: 0.25 for five equal folds.
    """
    spread = float(np.std(gains, ddof=1))
    if math.isclose(spread, 0.0, abs_tol=1e-12):
        return 1.0 if math.isclose(float(np.mean(gains)), 0.0, abs_tol=1e-12) else 0.0
    t = float(np.mean(gains)) / (spread * math.sqrt(1 / len(gains) + test_to_training))
    return float(2 * stats.t.sf(abs(t), df=len(gains) - 1))


def summarise(benchmark: str, accuracies: pd.DataFrame) -> dict[str, float]:
    """Mean, sample standard deviation over folds, gain and its p value, by names like `esc10.pretrained.accuracy`.

    Args:
        accuracies: as `fold_accuracies` gives them.
    """
    gains = (accuracies[PRETRAINED] - accuracies[RANDOM]).to_numpy()
    metrics = {
        f"{name}.{measure}": value
        for name in (PRETRAINED, RANDOM)
        for measure, value in (("accuracy", accuracies[name].mean()), ("accuracy_std", accuracies[name].std()))
    }
    metrics |= {"gain": gains.mean(), "gain_std": gains.std(ddof=1)}
    metrics["p_value"] = paired_p_value(gains, test_to_training=1 / (len(gains) - 1))
    return {f"{benchmark}.{name}": float(value) for name, value in metrics.items()}
