"""Learning curves: how well a classifier does with fewer clips, and so what more clips may give."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.adapt.linear import fit_head
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.params import AdaptParams

SIZES = (2, 4, 8, 16, 32, 64, 128)
"""Clips of each class, as far as there are more."""
DRAWS = 3
MORE = 10
"""Clips of each class more than there are, for which the curve is continued."""


def learning_curve(vectors_NE: NDArray[np.floating], targets: Targets, params: AdaptParams) -> pd.DataFrame:
    """The measure of held-out clips by heads on the first clips of a random order of each class: `schemas.AdaptCurve`.

    Every fold is classified by what `DRAWS` draws of the others teach, and by all of them. The last row is continued
    by a power law of the error, which Hestness et al., "Deep learning scaling is predictable, empirically" (2017),
    find; it is missing if there are fewer than three points, or the error does not fall. Of classes that do
    not exclude each other, each draw is measured on those that it teaches; sizes at which nothing is taught are
    missing.

    Args:
        vectors_NE: embeddings [clips, size].
        targets: of these clips.
        params: `adapt`.
    """
    available = _available(targets)
    sizes = [size for size in SIZES if size < available]
    rows = []
    for size in [*sizes, available]:
        draws = DRAWS if size < available else 1
        values = [_value(vectors_NE, targets, params, size, draw) for draw in range(draws)]
        rows.append((size, float(np.mean(values)), float(np.std(values, ddof=1)) if draws > 1 else math.nan, False))
    rows = [row for row in rows if not math.isnan(row[1])]  # too few clips to learn from say nothing
    if (
        rows
        and (continued := _continued([row[0] for row in rows], [row[1] for row in rows], available + MORE)) is not None
    ):
        rows.append((available + MORE, continued, math.nan, True))
    kinds = {"clips_per_class": "int64", "value": "float64", "std": "float64", "continued": "bool"}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def _available(targets: Targets) -> int:
    """Clips of the rarest class to learn from while a fold is held out, at least 2."""
    heard_NC = targets.is_heard == 1
    counts = [heard_NC[targets.folds != fold].sum(0).min() for fold in np.unique(targets.folds)]
    return max(2, int(np.median(counts)))


def _value(vectors_NE: NDArray[np.floating], targets: Targets, params: AdaptParams, size: int, draw: int) -> float:
    rng = np.random.default_rng([params.random_seed, size, draw])
    right: list[float] = []
    for fold in np.unique(targets.folds):
        train = np.flatnonzero(targets.folds != fold)
        chosen = _drawn(targets.is_heard[train], size, rng)
        taught, tested_N = targets.where(train[chosen]), targets.folds == fold
        columns = _taught(taught)
        if not len(columns):
            continue
        head = fit_head(vectors_NE[train[chosen]], taught.of_classes(columns), params)
        right += _right(head(vectors_NE[tested_N]), targets.where(tested_N).of_classes(columns))
    return float(np.mean(right)) if right else math.nan


def _drawn(is_heard_NC: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random subset with about `size` clips of each class: indices, ascending.

    Clips are drawn in a random order. One is kept if some class that is heard in it has fewer than `size` clips so far.
    One in which no class is heard is an example against the classes known not to be: it is kept if one of them has
    fewer than `size` of these.
    """
    counts_C, without_C = np.zeros(is_heard_NC.shape[1], int), np.zeros(is_heard_NC.shape[1], int)
    kept = []
    for at in rng.permutation(len(is_heard_NC)):
        heard = np.flatnonzero(is_heard_NC[at] == 1)
        classes, of_C = (heard, counts_C) if len(heard) else (np.flatnonzero(is_heard_NC[at] == 0), without_C)
        if (of_C[classes] < size).any():
            of_C[classes] += 1
            kept.append(int(at))
    return np.array(sorted(kept), np.int64)


def _taught(taught: Targets) -> NDArray[np.int64]:
    """The classes that some clips teach; of classes that exclude each other, all or none."""
    heard_C, silent_C = (taught.is_heard == 1).any(0), (taught.is_heard == 0).any(0)
    if taught.exclusive:
        return np.arange(len(heard_C) if heard_C.all() else 0)
    return np.flatnonzero(heard_C & silent_C)


def _right(logits_NC: NDArray[np.floating], tested: Targets) -> Sequence[float]:
    """Of each clip whether the best class is right; of classes that do not exclude each other, each known one."""
    if tested.exclusive:
        right_N: list[float] = (logits_NC.argmax(1) == tested.truths).astype(float).tolist()
        return right_N
    known_NC = ~np.isnan(tested.is_heard)
    right_M: list[float] = ((logits_NC > 0) == (tested.is_heard == 1))[known_NC].astype(float).tolist()
    return right_M


def _continued(sizes: Sequence[int], values: Sequence[float], wanted: int) -> float | None:
    errors = 1 - np.array(values)
    usable = np.isfinite(errors) & (errors > 0)
    if usable.sum() < 3:
        return None
    slope = float(np.polyfit(np.log(np.array(sizes)[usable]), np.log(errors[usable]), 1)[0])
    if slope >= 0 or not usable[-1]:
        return None
    return float(1 - errors[-1] * (wanted / sizes[-1]) ** slope)  # from the last point on, so that there is no step
