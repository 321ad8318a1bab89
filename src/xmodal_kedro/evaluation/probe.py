"""Linear probes: how well a linear model on frozen embeddings does on a benchmark.

As HEAR (Turian et al., 2022) and PANNs (Kong et al., 2020) judge frozen embeddings, but with a linear model only, and
with its strength chosen on the training clips alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import joblib
import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from xmodal_kedro.evaluation.benchmarks.benchmark import Split
from xmodal_kedro.evaluation.logistic_path import fit_path
from xmodal_kedro.progress import watched

MAX_INNER_FOLDS = 5
Task = TypeVar("Task")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


Edge = Literal["", "smallest", "largest"]
"""Where in a series of strengths one lies: at one of its ends, or between them."""


class SplitPrediction(NamedTuple):
    """What a probe says of one split.

    Attributes:
        predicted_N: class names of the split's test clips.
        strength: C of the probe.
    """

    predicted_N: NDArray
    strength: float


class TrainingSubspace(TransformerMixin, BaseEstimator):
    """Coordinates in an orthonormal basis of the training clips' span, where that has fewer dimensions."""

    def fit(self, vectors_NE: NDArray[np.floating], truths_N: object = None) -> TrainingSubspace:
        clips, size = vectors_NE.shape
        self.basis_ES_ = scipy.linalg.qr(vectors_NE.T, mode="economic", check_finite=False)[0] if clips < size else None
        return self

    def transform(self, vectors_NE: NDArray[np.floating]) -> NDArray[np.floating]:
        return vectors_NE if self.basis_ES_ is None else vectors_NE @ self.basis_ES_


def fit_probes(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, strengths: Sequence[float]
) -> dict[float, Pipeline]:
    """Standardisation and multinomial logistic regression, one for each inverse regularisation strength C.

    Where embeddings have more dimensions than there are clips, they are turned into axes that span these clips on the
    way. A solution under an L2 penalty lies in that span and does not depend on the axes, so this changes nothing but
    the time.

    Args:
        embeddings_NE: of the training clips [clips, embedding size].
        truths_N: class names of these clips.
        strengths: values of C.
    """
    axes, models = _fit(embeddings_NE, truths_N, strengths)
    return {strength: make_pipeline(axes, model) for strength, model in models.items()}


def _fit(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, strengths: Sequence[float]
) -> tuple[Pipeline, dict[float, LogisticRegression]]:
    """What turns embeddings into coordinates, and models of these by strength."""
    axes = make_pipeline(StandardScaler(), TrainingSubspace()).fit(embeddings_NE)
    ascending = sorted(strengths)
    return axes, dict(zip(ascending, fit_path(axes.transform(embeddings_NE), truths_N, ascending), strict=True))


def inner_folds(truths_N: NDArray, groups_N: NDArray) -> Iterator[NDArray[np.bool_]]:
    """Which training clips are held out, several times, to choose something; clips of a group go together.

    A few groups, such as official folds, are held out one after the other; of many, `MAX_INNER_FOLDS` parts are made
    with the classes evenly in them, or fewer where no class has as many clips. What is left to fit on always has two
    classes at least: parts without which there would be one are never held out, so that of very few clips none may be.

    Args:
        truths_N: class names of the training clips.
        groups_N: groups of these clips.
    """
    for held_out_N in _parts(truths_N, groups_N):
        if len(np.unique(truths_N[~held_out_N])) > 1:
            yield held_out_N


def _parts(truths_N: NDArray, groups_N: NDArray) -> Iterator[NDArray[np.bool_]]:
    names = np.unique(groups_N)
    if len(names) <= MAX_INNER_FOLDS:
        yield from (groups_N == name for name in names)
        return
    count = min(MAX_INNER_FOLDS, int(np.unique(truths_N, return_counts=True)[1].max()))
    if count < 2:  # one clip of each class: whatever is held out, nothing can learn it
        return
    parts = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    for _, held_out in parts.split(np.zeros(len(truths_N)), truths_N, groups_N):
        yield np.isin(np.arange(len(truths_N)), held_out)


def choose_strength(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, groups_N: NDArray, strengths: Sequence[float]
) -> float:
    """The strength of the highest mean accuracy over `inner_folds`; the smallest of equals, also where there are none.

    Args:
        embeddings_NE: of the training clips [clips, embedding size].
        truths_N: class names of these clips.
        groups_N: groups of these clips.
        strengths: inverse strengths C to choose from.
    """
    all_train = Split(1, np.arange(len(truths_N)), np.zeros(0, np.int64))
    return choose_strengths(embeddings_NE, truths_N, groups_N, [all_train], strengths)[0]


def choose_strengths(
    embeddings_NE: NDArray[np.floating],
    truths_N: NDArray,
    groups_N: NDArray,
    splits: Sequence[Split],
    strengths: Sequence[float],
) -> list[float]:
    """As `choose_strength`, for the training clips of each split.

    Several splits may fit on the same clips: of official folds, one tests fold 1 and holds out fold 2, and another
    tests fold 2 and holds out fold 1. They are fitted once, which halves the work.
    """
    ascending = sorted(set(strengths))
    if len(ascending) == 1:
        return ascending * len(splits)
    fits = _shared_fits(truths_N, groups_N, splits)

    def accuracies(fit: _SharedFit) -> list[NDArray[np.float64]]:
        axes, models = _fit(embeddings_NE[fit.train], truths_N[fit.train], ascending)
        coordinates = [axes.transform(embeddings_NE[held]) for held in fit.held_out]
        return [
            np.array([np.mean(models[each].predict(held_NE) == truths_N[held]) for each in ascending])
            for held, held_NE in zip(fit.held_out, coordinates, strict=True)
        ]

    found = {
        place: accuracy_S
        for fit, of_fit in zip(fits, _in_threads(accuracies, fits, "choosing the strength"), strict=True)
        for place, accuracy_S in zip(fit.places, of_fit, strict=True)
    }
    sums_DS = np.zeros((len(splits), len(ascending)))
    for split, part in sorted(found):
        sums_DS[split] += found[split, part]
    return [ascending[int(place)] for place in sums_DS.round(9).argmax(1)]


@dataclass(frozen=True)
class _SharedFit:
    """Clips to fit on, and what is held out meanwhile, each for one inner fold of one split.

    Attributes:
        train: positions of the clips.
        places: numbers of split and inner fold.
        held_out: positions of the clips that are held out in each of them.
    """

    train: NDArray[np.int64]
    places: list[tuple[int, int]]
    held_out: list[NDArray[np.int64]]


def _shared_fits(truths_N: NDArray, groups_N: NDArray, splits: Sequence[Split]) -> list[_SharedFit]:
    fits: dict[bytes, _SharedFit] = {}
    for number, split in enumerate(splits):
        for part, held_out in enumerate(inner_folds(truths_N[split.train], groups_N[split.train])):
            train = split.train[~held_out]
            fit = fits.setdefault(train.tobytes(), _SharedFit(train, [], []))
            fit.places.append((number, part))
            fit.held_out.append(split.train[held_out])
    return list(fits.values())


def fit_probe(
    embeddings_NE: NDArray[np.floating], truths_N: NDArray, groups_N: NDArray, strengths: Sequence[float]
) -> Pipeline:
    """Choose the strength on the training clips, then fit on all of them. Arguments as `choose_strength`."""
    strength = choose_strength(embeddings_NE, truths_N, groups_N, strengths)
    return fit_probes(embeddings_NE, truths_N, [strength])[strength]


def predict_splits(
    embeddings_NE: NDArray[np.floating],
    truths_N: NDArray,
    groups_N: NDArray,
    splits: Sequence[Split],
    strengths: Sequence[float],
) -> list[SplitPrediction]:
    """Predictions for the test clips of each split, by a probe fitted on its training clips.

    Args:
        embeddings_NE: of all clips [clips, embedding size].
        truths_N: class names.
        groups_N: what stays together when the strength is chosen.
        splits: official divisions.
        strengths: inverse strengths to choose from.
    """
    chosen = choose_strengths(embeddings_NE, truths_N, groups_N, splits, strengths)

    def predict(task: tuple[Split, float]) -> NDArray:
        split, strength = task
        probe = fit_probes(embeddings_NE[split.train], truths_N[split.train], [strength])[strength]
        return probe.predict(embeddings_NE[split.test])

    predicted = _in_threads(predict, list(zip(splits, chosen, strict=True)), "linear probes")
    logger.info("linear probes of the folds chose C = %s", ", ".join(f"{strength:g}" for strength in chosen))
    return [SplitPrediction(*each) for each in zip(predicted, chosen, strict=True)]


def edge_of(strength: float, strengths: Sequence[float]) -> Edge:
    """Which end of the strengths on offer one is: a better one may lie beyond. Of a single one there is no choice."""
    if len(set(strengths)) == 1:
        return ""
    return "smallest" if strength == min(strengths) else "largest" if strength == max(strengths) else ""


def _in_threads(function: Callable[[Task], Result], tasks: Sequence[Task], description: str) -> list[Result]:
    # One task a thread: these matrices are so small that a linear algebra library with several threads is slower.
    with threadpool_limits(1):
        done = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
            joblib.delayed(function)(task) for task in tasks
        )
        return list(watched(done, description, total=len(tasks), unit="fits"))
