"""Calibration: whether labels of a score are right as often as the score says."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.check.quality import MATCHES, Match, meetings
from xmodal_kedro.labels.check.statements import Statements

BINS = 10
COLUMNS = {
    "labels": str,
    "against": str,
    "match": str,
    "bin": int,
    "labelled": int,
    "mean_score": float,
    "right": float,
}
"""Of the table `LabelReliability`."""


def reliability(statements: Iterable[Statements], meaning: Meaning) -> pd.DataFrame:
    """Each teacher's stored labels by score, in ten bins of equal width, and the share of each that is right.

    Returns:
        The table `LabelReliability`, without empty bins.
    """
    tables = [_bins(stated, match, meaning) for stated in statements if stated.ranked for match in MATCHES]
    filled = [table for table in tables if len(table)]
    nothing = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat(filled, ignore_index=True) if filled else nothing


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Mean distance of share right and mean score over the bins, weighted by their labels.

    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, section "Calibration".
    """
    distance = (bins["right"] - bins["mean_score"]).abs()
    return float((distance * bins["labelled"]).sum() / bins["labelled"].sum())


def _bins(stated: Statements, match: Match, meaning: Meaning) -> pd.DataFrame:
    labels = stated.said.drop_duplicates(["clip_id", "label"])[["clip_id", "label", "score"]]
    met = meetings(stated, match, meaning)[["clip_id", "label"]].drop_duplicates().assign(right=True)
    labels = labels.merge(met, on=["clip_id", "label"], how="left")
    labels["right"] = labels["right"].notna()
    labels["bin"] = np.minimum((labels["score"] * BINS).astype(int), BINS - 1)
    bins = labels.groupby("bin").agg(labelled=("right", "size"), mean_score=("score", "mean"), right=("right", "mean"))
    return bins.reset_index().assign(labels=stated.labels, against=stated.against, match=match)[list(COLUMNS)]
