"""How precise labels are at each score, from answers about a stratified random sample; and thresholds that follow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from xmodal_kedro.evaluation.intervals import effective_number, number_for, wilson
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.tables import rows_in

STRATUM = ["name", "modality", "bin"]
ANSWERS_PER_PART = 10
"""A bin is divided into parts with thresholds of their own where it has at least so many answers for each."""
MAX_PARTS = 10
ENOUGH = 2.0
"""With so many times the answers that would keep a precision if all were right, a threshold can fail."""
JUDGED = ("right", "wrong")


def answered_prefix(pool: pd.DataFrame, reviewed: pd.DataFrame) -> pd.DataFrame:
    """The clips of each stratum, in the order of its draw, up to the first that is not answered.

    They are a simple random sample of the stratum. A clip at the end that nobody was asked about, as the class was
    added as heard too, would not be there if the class were not heard: it does not count. Clips that are unsure, or
    about which reviewers differ, are passed over.

    Args:
        pool: `ReviewPool`.
        reviewed: `ReviewedClips`.

    Returns:
        Rows of the pool with `answer` and, for those that are right or wrong, `weight`: clips of the stratum for each
        of its judged ones, 0 for others; and `is_whole`, whether all of the stratum is answered.
    """
    rows = pool.merge(reviewed[["clip_id", "name", "answer", "asked"]], on=["clip_id", "name"], how="left")
    rows = rows.sort_values([*STRATUM, "rank"], ignore_index=True)
    stratum = rows.groupby(STRATUM).ngroup()
    in_order = (rows["rank"] == rows.groupby(stratum).cumcount()) & rows["answer"].notna()
    is_in = in_order.groupby(stratum).cummin()
    was_asked = (rows["asked"].eq(True) & is_in).astype(int)
    asked_from_here = was_asked[::-1].groupby(stratum).cummax()[::-1].astype(bool)
    kept = rows[is_in & asked_from_here].copy()
    by_stratum = stratum[kept.index]
    judged = kept["answer"].isin(JUDGED)
    number = judged.groupby(by_stratum).transform("sum")
    kept["weight"] = np.where(judged, kept["stratum_clips"] / number.clip(lower=1), 0.0)
    kept["is_whole"] = kept.groupby(by_stratum)["rank"].transform("size") == kept["stratum_clips"]
    return kept.drop(columns="asked").reset_index(drop=True)


def class_precision(pool: pd.DataFrame, reviewed: pd.DataFrame, params: ReviewParams) -> pd.DataFrame:
    """Precision and recall of each class and modality at and above each threshold: `ClassPrecision`.

    Thresholds are the lowest scores of bins, and of parts of bins with many answers. Precision is null where a stratum
    at or above the threshold has no answer, recall where any has none. Strata of which all is answered, and nothing is
    judged, are left out.

    Args:
        pool: `ReviewPool`.
        reviewed: `ReviewedClips`.
    """
    prefix = answered_prefix(pool, reviewed)
    answers = dict(iter(prefix.groupby(["name", "modality"])))
    # The bins are those of the pool, which may have been drawn before the parameter was changed.
    width = float((pool["low"] / pool["bin"]).median()) if (pool["bin"] > 0).any() else 1 / params.score_bins
    rows = []
    for key, strata in pool.drop_duplicates(STRATUM).sort_values("bin").groupby(["name", "modality"]):
        name, modality = cast("tuple[str, str]", key)
        own = answers.get((name, modality), prefix.iloc[:0])
        rows += [
            {"name": name, "modality": modality, **row} for row in _at_thresholds(strata, own, width, params.confidence)
        ]
    return pd.DataFrame(rows, columns=list(_KINDS)).astype(_KINDS)


def precision_thresholds(precision: pd.DataFrame, params: ReviewParams) -> pd.DataFrame:
    """The lowest threshold of each class and modality that keeps `params.precision`: `PrecisionThresholds`.

    Thresholds are tried from the highest score downward, and the first that does not keep the precision ends the
    search, unless there are too few answers above it to show anything. So the order is given before any answer, and a
    threshold is not the luckiest of many (Maurer, Hothorn and Lehmacher, "Multiple comparisons in drug clinical trials
    and preclinical assays: a-priori ordered hypotheses", 1995). A few clips of the highest scores that are all answered
    are known for certain: right or wrong, they end nothing, and the search goes on to the scores of the others.

    Args:
        precision: `ClassPrecision`. Classes without any answer have no row.
    """
    rows = []
    enough = ENOUGH * number_for(1.0, params.precision, params.confidence)
    for key, table in precision.groupby(["name", "modality"], sort=True):
        answered = int(table["answered"].max())
        if answered:
            chosen = _lowest(table.sort_values("threshold", ascending=False), params.precision, enough)
            missing = None if chosen else answers_missing(table, params)
            row = chosen or (None, None, None, answered)
            rows.append((*cast("tuple[str, str]", key), params.precision, *row, missing))
    columns = ["name", "modality", "wanted", "threshold", "precision", "low", "answered", "missing"]
    numbers = dict.fromkeys(["wanted", "threshold", "precision", "low", "missing"], "float64")
    return pd.DataFrame(rows, columns=columns).astype(
        {"name": "str", "modality": "str", **numbers, "answered": "int64"}
    )


def answers_missing(table: pd.DataFrame, params: ReviewParams) -> int | None:
    """How many more answers would let some threshold keep `params.precision`, if as many were right as so far.

    Args:
        table: `ClassPrecision` of one class and modality.

    Returns:
        None if at no threshold a larger share than that was right.
    """
    more = []
    for row in rows_in(table):
        if row.answered and row.precision > params.precision:
            needed = number_for(row.precision, params.precision, params.confidence)
            # With k times the answers in each stratum, 1 / effective is (1 / effective + 1 / clips) / k - 1 / clips.
            times = (1 / row.effective + 1 / row.clips) / (1 / needed + 1 / row.clips)
            more.append(math.ceil(row.answered * (times - 1) - 1e-9))
    return max(1, min(more)) if more else None


def _lowest(descending: pd.DataFrame, wanted: float, enough: float) -> tuple[float, float, float, int] | None:
    chosen, is_tested = None, False
    for row in rows_in(descending):
        if row.low >= wanted:
            chosen = (row.threshold, row.precision, row.low, row.answered)
            is_tested |= math.isfinite(row.effective)
        elif is_tested or min(row.effective, row.answered) >= enough:
            break
    return chosen


def _at_thresholds(
    strata: pd.DataFrame, answers: pd.DataFrame, width: float, confidence: float
) -> Iterator[dict[str, Any]]:
    """A row for each threshold of a class and modality, from the lowest score up; `width` is that of a bin."""
    judged = answers[answers["weight"] > 0]
    number = judged.groupby("bin").size()
    left_out = set(answers.loc[answers["is_whole"], "bin"]) - set(number.index)
    counted = strata[~strata["bin"].isin(left_out)]
    open_ = counted.loc[~counted["bin"].isin(number.index), "bin"]
    is_right = (judged["answer"] == "right").to_numpy()
    score, weight = judged["score"].to_numpy(), judged["weight"].to_numpy(np.float64)
    all_right = float(weight[is_right].sum())
    highest_open = open_.max() if len(open_) else -1
    bins, sizes = counted["bin"].to_numpy(), counted["stratum_clips"].to_numpy()
    for bin_, low in zip(bins.tolist(), counted["low"].tolist(), strict=True):
        parts = min(max(1, int(number.get(bin_, 0)) // ANSWERS_PER_PART), MAX_PARTS)
        for threshold in (low + width * part / parts for part in range(parts)):
            above = score >= np.float32(threshold)
            weights = weight[above]
            right = float(weight[above & is_right].sum())
            known = highest_open < bin_ and len(weights) > 0
            share = right / weights.sum() if known else math.nan
            effective = effective_number(weights)
            ends = wilson(share, effective, confidence) if known else (math.nan, math.nan)
            clips = round(weights.sum())
            if threshold == low:
                clips = sizes[bins >= bin_].sum()
            yield {
                "threshold": threshold,
                "clips": int(clips),
                "answered": len(weights),
                "effective": effective,
                "right": int((above & is_right).sum()),
                "precision": share,
                "low": ends[0],
                "high": ends[1],
                "recall": right / all_right if not len(open_) and all_right > 0 else math.nan,
            }


_KINDS = {
    **{"name": "str", "modality": "str", "threshold": "float64", "clips": "int64", "answered": "int64"},
    **{"effective": "float64", "right": "int64"},
    **dict.fromkeys(["precision", "low", "high", "recall"], "float64"),
}
