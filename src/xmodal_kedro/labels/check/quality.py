"""How often labels are right: precision, recall, F1, average precision and top-k hits, per class and over all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.check.statements import Statements

Match = Literal["exact", "branch"]
MATCHES: tuple[Match, ...] = ("exact", "branch")
TOP_RANKS = (1, 5)
COLUMNS = [
    *("labels", "against", "match", "average", "name", "audioset_id", "clips", "labelled"),
    *("precision", "recall", "f1", "average_precision", "hit", "top1", "top5"),
]
RATES = ["precision", "recall", "f1", "average_precision", "hit", "top1", "top5"]


def measure(statements: Iterable[Statements], meaning: Meaning) -> pd.DataFrame:
    """The table `LabelQuality`."""
    rows = [row for stated in statements for match in MATCHES for row in _measure(stated, match, meaning)]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(RATES, "float64"))


def meetings(stated: Statements, match: Match, meaning: Meaning) -> pd.DataFrame:
    """Where a label of a clip is right.

    Returns:
        Rows of `stated.said`, each with the `true` key that it meets: the same, or for `branch` one in its branch of
        the ontology. What stands above a true class is true of the clip, what stands below may be.
    """
    pairs = stated.said.merge(stated.true.rename(columns={"key": "true"}), on="clip_id")
    if match == "exact":
        return pairs[pairs["key"] == pairs["true"]]
    known = {
        (key, true): meaning.in_branch(key, true)
        for key, true in pairs[["key", "true"]].drop_duplicates().itertuples(index=False)
    }
    return pairs[np.array([known[pair] for pair in zip(pairs["key"], pairs["true"], strict=True)], bool)]


def _measure(stated: Statements, match: Match, meaning: Meaning) -> list[dict[str, object]]:
    met = meetings(stated, match, meaning)
    counting = met[met["counts"]]
    labelled = _keys(stated.said[stated.said["counts"]], "key")
    right = _keys(counting, "key")
    found = _keys(counting, "true")
    true = _keys(stated.true, "key")
    classes = pd.DataFrame({"clips": true.value_counts(), "labelled": labelled.value_counts()}).fillna(0).astype(int)
    classes = classes.sort_index()
    classes["right"] = right.value_counts().reindex(classes.index, fill_value=0)
    classes["found"] = found.value_counts().reindex(classes.index, fill_value=0)
    rates = _rates(classes)
    has_clips = classes["clips"] > 0
    for rank in TOP_RANKS:
        hits = _keys(met[met["rank"] <= rank], "true").value_counts().reindex(classes.index, fill_value=0)
        rates[f"top{rank}"] = (hits / classes["clips"]).where(has_clips & stated.ranked)
    rates["average_precision"] = np.nan
    if match == "exact" and stated.ranked:
        rates["average_precision"] = _average_precisions(stated, classes.index[has_clips]).reindex(classes.index)
    named = {"labels": stated.labels, "against": stated.against, "match": match}
    sums = classes.sum()
    micro = _rates(sums.to_frame().T).iloc[0]
    overall = {**micro[["precision", "recall", "f1"]], **_clip_hits(stated, met)}
    totals = {"name": "", "audioset_id": "", "clips": stated.true["clip_id"].nunique(), "labelled": sums["labelled"]}
    macro = rates.loc[has_clips].assign(precision=lambda table: table["precision"].fillna(0.0)).mean()
    by_class = classes[["clips", "labelled"]].join(rates).to_dict("records")
    return [
        {**named, "average": "micro", **totals, **overall},
        {**named, "average": "macro", **totals, **macro},
        *(
            {**named, "average": "class", "name": meaning.name(key), "audioset_id": meaning.audioset_id(key), **row}
            for key, row in zip(classes.index, by_class, strict=True)
        ),
    ]


def _keys(rows: pd.DataFrame, column: str) -> pd.Series:
    """One entry for each key of each clip."""
    return rows.drop_duplicates(["clip_id", column])[column]


def _rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Precision without labels and recall without true clips are NaN; F1 is 0 where nothing is right."""
    precision = (counts["right"] / counts["labelled"]).where(counts["labelled"] > 0)
    recall = (counts["found"] / counts["clips"]).where(counts["clips"] > 0)
    both = precision.fillna(0.0) + recall
    f1 = (2 * precision * recall / both).where(both > 0, 0.0).where(recall.notna())
    return pd.DataFrame({"precision": precision, "recall": recall, "f1": f1})


def _clip_hits(stated: Statements, met: pd.DataFrame) -> dict[str, float]:
    """Shares of the clips with a true class that have a right label: among those that count, and among the best few."""
    clips = stated.true["clip_id"].nunique()
    if not clips:
        return {}
    hits = {"hit": met.loc[met["counts"], "clip_id"].nunique() / clips}
    if stated.ranked:
        hits |= {f"top{rank}": met.loc[met["rank"] <= rank, "clip_id"].nunique() / clips for rank in TOP_RANKS}
    return hits


def _average_precisions(stated: Statements, keys: Iterable[str]) -> pd.Series:
    """Of each class over all clips; one that is not among a clip's stored labels has the score 0 there."""
    from sklearn.metrics import average_precision_score

    position = {clip_id: at for at, clip_id in enumerate(stated.clips)}
    true_of = stated.true.groupby("key")["clip_id"]
    said_of = dict(iter(stated.said.groupby("key")))
    found = {}
    for key in keys:
        truth_N, score_N = np.zeros(len(position), bool), np.zeros(len(position))
        truth_N[[position[clip_id] for clip_id in true_of.get_group(key)]] = True
        if key in said_of:
            rows = said_of[key]
            np.maximum.at(score_N, [position[clip_id] for clip_id in rows["clip_id"]], rows["score"].to_numpy())
        found[key] = min(1.0, float(average_precision_score(truth_N, score_N)))  # sums of steps may round to more
    return pd.Series(found, dtype="float64")
