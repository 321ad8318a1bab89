"""Linear heads: logistic regression on embeddings, as one matrix and one bias."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.evaluation.logistic_path import fit_path
from xmodal_kedro.evaluation.probe import TrainingSubspace
from xmodal_kedro.params import AdaptParams

INNER_FOLDS = 4


@dataclass(frozen=True)
class LinearHead:
    """Logits are `vectors_NE @ weight.T + bias`.

    Attributes:
        weight: float64 [classes, size].
        bias: float64 [classes].
        strengths: inverse strength C of each class; all are one where classes exclude each other.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    strengths: tuple[float, ...]

    def __call__(self, vectors_NE: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logits, float64 [clips, classes]."""
        logits_NC: NDArray[np.float64] = vectors_NE @ self.weight.T + self.bias
        return logits_NC


def fit_head(
    vectors_NE: NDArray[np.floating],
    targets: Targets,
    params: AdaptParams,
    strengths: Sequence[float] | None = None,
) -> LinearHead:
    """Fit a head: multinomial where classes exclude each other, else a binary one for each class on the clips in which
    it is known. The strength is chosen by the cross-entropy on held-out groups of these clips.

    Args:
        vectors_NE: embeddings of the clips of `targets` [clips, size].
        targets: two classes at least if they are exclusive, each with clips in two groups.
        params: `adapt`.
        strengths: of each class, if they are not to be chosen.
    """
    with threadpool_limits(1), warnings.catch_warnings():
        # Classes of fewer clips than folds: such folds lack them, and are scored by what they have.
        warnings.filterwarnings("ignore", "The least populated class")
        if targets.exclusive:
            own = params if strengths is None else _with_strength(params, strengths[0])
            return _fit(vectors_NE, targets.truths, targets.groups, own, len(targets.classes))
        heads = []
        for at, is_heard_N in enumerate(targets.is_heard.T):
            known_N = ~np.isnan(is_heard_N)
            own = params if strengths is None else _with_strength(params, strengths[at])
            heads.append(_fit(vectors_NE[known_N], is_heard_N[known_N].astype(int), targets.groups[known_N], own, 1))
        return LinearHead(
            np.concatenate([head.weight for head in heads]),
            np.concatenate([head.bias for head in heads]),
            tuple(head.strengths[0] for head in heads),
        )


def _with_strength(params: AdaptParams, strength: float) -> AdaptParams:
    return params.model_copy(update={"regularisation": (strength,)})


def held_out_logits(
    vectors_NE: NDArray[np.floating],
    targets: Targets,
    params: AdaptParams,
    strengths: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Logits of each clip by a head that is fitted on the other folds, float64 [clips, classes].

    The strength is chosen on the other folds too, unless `strengths` has that of each class.

    A class of which the other folds have no clip, or nothing else, cannot be predicted there: its logit is very low.
    """
    logits_NC = np.full((len(targets.clips), len(targets.classes)), UNKNOWN_LOGIT)
    for fold in np.unique(targets.folds):
        train_N = targets.folds != fold
        train = targets.where(train_N)
        present_C = (train.is_heard == 1).any(0) & (targets.exclusive | (train.is_heard == 0).any(0))
        columns = np.flatnonzero(present_C)
        if len(columns) < (2 if targets.exclusive else 1):
            continue
        known = Targets(
            train.clips,
            tuple(train.classes[at] for at in columns),
            train.is_heard[:, columns],
            train.groups,
            train.folds,
            train.exclusive,
        )
        given = None if strengths is None else [strengths[int(at)] for at in columns]
        head = fit_head(vectors_NE[train_N], known, params, given)
        logits_NC[np.ix_(~train_N, columns)] = head(vectors_NE[~train_N])
    return logits_NC


UNKNOWN_LOGIT = -30.0
"""Of a class that a fold teaches nothing of."""


def cross_entropies(logits_NC: NDArray[np.floating], is_heard_NC: NDArray, exclusive: bool) -> NDArray[np.float64]:
    """Of each clip; where classes do not exclude each other, the sum over the classes that are known in it [clips]."""
    if exclusive:
        true_N = logits_NC[np.arange(len(logits_NC)), np.nan_to_num(is_heard_NC).argmax(1)]
        losses_N: NDArray[np.float64] = logsumexp(logits_NC, axis=1) - true_N
        return losses_N
    losses_NC = -np.where(is_heard_NC == 1, log_expit(logits_NC), log_expit(-logits_NC))
    sums_N: NDArray[np.float64] = np.where(np.isnan(is_heard_NC), 0.0, losses_NC).sum(1)
    return sums_N


def _fit(
    vectors_NE: NDArray[np.floating], truths_N: NDArray, groups_N: NDArray, params: AdaptParams, rows: int
) -> LinearHead:
    """A head of one row for binary truths (0, 1), else of `rows`."""
    strengths = sorted(params.regularisation)
    losses = np.zeros(len(strengths))
    if len(strengths) > 1:
        for held_out_N in _inner_folds(truths_N, groups_N, params.random_seed):
            heads = _path(vectors_NE[~held_out_N], truths_N[~held_out_N], strengths, params, rows)
            is_heard_NC = truths_N[held_out_N, None] if rows == 1 else np.eye(rows)[truths_N[held_out_N]]
            for at, head in enumerate(heads):
                losses[at] += cross_entropies(head(vectors_NE[held_out_N]), is_heard_NC, rows > 1).sum()
    best = strengths[int(losses.argmin())] if losses.any() else strengths[len(strengths) // 2]
    return _path(vectors_NE, truths_N, [best], params, rows)[0]


def _inner_folds(truths_N: NDArray, groups_N: NDArray, seed: int) -> Iterator[NDArray[np.bool_]]:
    smallest = min(len(np.unique(groups_N[truths_N == truth])) for truth in np.unique(truths_N))
    parts = min(INNER_FOLDS, smallest)
    if parts < 2:
        return
    divided = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    for train, held_out in divided.split(np.zeros(len(truths_N)), truths_N, groups_N):
        if len(np.unique(truths_N[train])) == len(np.unique(truths_N)):
            yield np.isin(np.arange(len(truths_N)), held_out)


def _path(
    vectors_NE: NDArray[np.floating], truths_N: NDArray, strengths: Sequence[float], params: AdaptParams, rows: int
) -> list[LinearHead]:
    axes = make_pipeline(StandardScaler(), TrainingSubspace()).fit(vectors_NE)
    weights_N = None
    if params.balanced:
        found, place_N, counts = np.unique(truths_N, return_inverse=True, return_counts=True)
        weights_N = (len(truths_N) / (len(found) * counts))[place_N]
    models = fit_path(axes.transform(vectors_NE), truths_N, strengths, weights_N)
    return [_unfolded(axes, model, rows) for model in models]


def _unfolded(axes: Pipeline, model: object, rows: int) -> LinearHead:
    """Standardisation, change of axes and regression as one linear map."""
    scaler, subspace = axes[0], axes[1]
    coefficients, intercepts = model.coef_, model.intercept_  # type: ignore[attr-defined]  # scikit-learn has no types
    if rows > 1 and len(coefficients) == 1:  # two classes: half of the difference for each
        coefficients, intercepts = (
            np.concatenate([-coefficients, coefficients]) / 2,
            np.tile(intercepts, 2) * (-0.5, 0.5),
        )
    weight_KE = coefficients if subspace.basis_ES_ is None else coefficients @ subspace.basis_ES_.T
    weight_KE = weight_KE / scaler.scale_
    strengths = (model.C,) * rows  # type: ignore[attr-defined]  # as above
    bias_K = intercepts - weight_KE @ scaler.mean_
    if rows == 1 or len(weight_KE) == rows:
        return LinearHead(weight_KE, bias_K, strengths)
    whole = LinearHead(np.zeros((rows, weight_KE.shape[1])), np.full(rows, UNKNOWN_LOGIT), strengths)
    present = model.classes_  # type: ignore[attr-defined]  # as above
    whole.weight[present], whole.bias[present] = weight_KE, bias_K
    return whole
