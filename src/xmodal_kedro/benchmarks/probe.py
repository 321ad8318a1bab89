"""Linear probes: how much of a benchmark a linear model reads off frozen embeddings.

As HEAR (Turian et al., 2022) and PANNs (Kong et al., 2020) judge frozen embeddings, but with a linear model only, and
with its strength chosen without a look at the test fold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_kedro.benchmarks.compare import PRETRAINED, RANDOM

MAX_ITERATIONS = 2000

logger = logging.getLogger(__name__)


def fit_probes(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, strengths: Sequence[float]
) -> dict[float, Pipeline]:
    """Standardisation and multinomial logistic regression, one for each inverse regularisation strength C.

    Embeddings are turned into the principal axes of the training clips on the way. A solution under an L2 penalty
    lies in the span of its training data and does not depend on the axes, so this changes nothing but the time, which
    falls with the number of dimensions.

    Args:
        embeddings_NE: of the training clips [clips, embedding size].
        truths_N: class names of these clips.
        strengths: values of C.
    """
    axes = make_pipeline(StandardScaler(), PCA(svd_solver="full")).fit(embeddings_NE)
    turned_NR = axes.transform(embeddings_NE)
    return {
        strength: make_pipeline(axes, LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(turned_NR, truths_N))
        for strength in strengths
    }


def choose_strength(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, folds_N: NDArray[np.integer], strengths: Sequence[float]
) -> float:
    """The strength of the highest mean accuracy over `folds_N`, each held out in turn; the smallest of equals.

    Args:
        embeddings_NE: of the training clips [clips, embedding size].
        truths_N: class names of these clips.
        folds_N: official folds of these clips, at least two.
        strengths: inverse strengths C to choose from.
    """
    accuracies = dict.fromkeys(sorted(strengths), 0.0)
    for fold in np.unique(folds_N):
        held_out = folds_N == fold
        for strength, probe in fit_probes(embeddings_NE[~held_out], truths_N[~held_out], strengths).items():
            accuracies[strength] += float(np.mean(probe.predict(embeddings_NE[held_out]) == truths_N[held_out]))
    return max(accuracies, key=lambda strength: round(accuracies[strength], 9))


def fit_probe(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, folds_N: NDArray[np.integer], strengths: Sequence[float]
) -> Pipeline:
    """Choose the strength on the training folds, then fit on all of them. Arguments as `choose_strength`."""
    strength = choose_strength(embeddings_NE, truths_N, folds_N, strengths)
    return fit_probes(embeddings_NE, truths_N, [strength])[strength]


def predict_folds(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, folds_N: NDArray[np.integer], strengths: Sequence[float]
) -> NDArray:
    """What each clip is called by a probe that was fitted on all the other folds.

    Args:
        embeddings_NE: of all clips [clips, embedding size].
        truths_N: class names.
        folds_N: official folds.
        strengths: inverse strengths to choose from.

    Returns:
        Class names [clips].
    """
    predictions_N = np.empty_like(truths_N)
    tests = [folds_N == fold for fold in np.unique(folds_N)]
    # One fold a process: these matrices are so small that a linear algebra library with several threads is slower.
    probes = joblib.Parallel(n_jobs=-1)(
        joblib.delayed(fit_probe)(embeddings_NE[~test], truths_N[~test], folds_N[~test], strengths) for test in tests
    )
    for test, probe in zip(tests, probes, strict=True):
        predictions_N[test] = probe.predict(embeddings_NE[test])
    logger.info("linear probes of the folds chose C = %s", ", ".join(f"{probe[-1].C:g}" for probe in probes))
    return predictions_N


def probe_benchmark(embeddings: pd.DataFrame, benchmark: str, strengths: Sequence[float]) -> pd.DataFrame:
    """Predictions of every clip from each initialisation's embeddings, as `schemas.TransferPredictions`.

    Args:
        embeddings: as `schemas.BenchmarkEmbeddings`.
        benchmark: its name.
        strengths: inverse strengths to choose from.
    """
    truths = embeddings["category"].to_numpy(dtype=str)
    folds = embeddings["fold"].to_numpy()
    tables = []
    for initialisation in (PRETRAINED, RANDOM):
        predicted = predict_folds(
            np.stack(embeddings[initialisation].to_list()).astype(np.float64), truths, folds, strengths
        )
        table = embeddings[["fold", "file"]].assign(truth=truths, predicted=predicted)
        tables.append(table.assign(benchmark=benchmark, initialisation=initialisation))
    return pd.concat(tables, ignore_index=True)
