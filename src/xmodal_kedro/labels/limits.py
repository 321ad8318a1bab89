"""Lowest scores of classes that people's answers call for, in place of the fixed threshold of their modality."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.params import MergeParams

logger = logging.getLogger(__name__)

ScoreLimits = Mapping[str, Mapping[int, float]]
"""By modality and index of a candidate, the lowest score that counts; infinite if none does."""


def score_limits(thresholds: pd.DataFrame, classes: ClassMap, params: MergeParams) -> ScoreLimits:
    """The limits that keep `params.precision`; none where it is null.

    Args:
        thresholds: `PrecisionThresholds`. Classes without a row were not asked about, and keep the fixed threshold.

    Raises:
        UserError: if there are none, or they keep less than that precision.
    """
    if params.precision is None:
        return {}
    if thresholds.empty:
        raise UserError(
            f"merge_labels.precision is {params.precision:g}, but no label has been reviewed: run the pipeline review, "
            "answer on its page, and run review_results; or set merge_labels.precision: null"
        )
    kept = float(thresholds["wanted"].min())
    if kept < params.precision:
        raise UserError(
            f"merge_labels.precision is {params.precision:g}, but thresholds were sought for {kept:g}: set "
            f"review.precision to at least {params.precision:g} and run review_results again"
        )
    index_of = {name: index for index, name in enumerate(classes.names)}
    limits: dict[str, dict[int, float]] = {}
    columns = (thresholds[column] for column in ("name", "modality", "threshold"))
    for name, modality, score in zip(*columns, strict=True):
        if name in index_of:
            limits.setdefault(modality, {})[index_of[name]] = math.inf if math.isnan(score) else float(score)
    number = sum(map(len, limits.values()))
    none = sum(math.isinf(score) for of_modality in limits.values() for score in of_modality.values())
    logger.info(
        "precision %g: of %d reviewed classes of a modality, %d have a threshold, %d give no target",
        *(params.precision, number, number - none, none),
    )
    return limits


def lowered(limits: ScoreLimits, params: MergeParams) -> ScoreLimits:
    """Those limits that are below the fixed threshold of their modality: without them, labels would be missed."""
    below = {
        modality: {index: score for index, score in scores.items() if score < params.of(modality).threshold}
        for modality, scores in limits.items()
    }
    return {modality: scores for modality, scores in below.items() if scores}
