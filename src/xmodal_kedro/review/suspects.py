"""Answers and labels that are unlikely, and questions on which reviewers differ: what is asked first in the next draw.

The unlikely ones are found by confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating
uncertainty in dataset labels", Journal of Artificial Intelligence Research 70, 2021): what is said of a clip is
suspected if a classifier that has not seen it is as sure of the opposite as it is on average of clips of which the
opposite is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.tables import rows_in

Embed = Callable[[pd.DataFrame], Mapping[str, NDArray[np.float32]]]
FOLDS = 5
MIN_ANSWERS = 5
"""Right ones, and wrong ones, of different videos, without which nothing is suspected of a class."""
LABELS_PER_CLASS = 40
"""Labels of a class that are looked at, those of the highest scores."""
REGULARISATION = 0.1
"""Inverse strength of the L2 penalty: a few answers, and embeddings of hundreds of dimensions of unit variance."""
COLUMNS = ["clip_id", "name", "shard", "reason", "suspicion"]


def find_suspects(
    reviewed: pd.DataFrame, pool: pd.DataFrame, spans: pd.DataFrame, embed: Embed, params: ReviewParams
) -> pd.DataFrame:
    """What is suspicious, the most suspicious first: `ReviewSuspects`.

    Args:
        reviewed: `ReviewedClips`.
        pool: `ReviewPool`.
        spans: `clip_id`, `shard`, `video_id` of the reviewed clips; folds keep the clips of a video together.
        embed: gives embeddings of clips.
        params: the folds follow from its seed.
    """
    answers = reviewed.merge(spans[["clip_id", "shard", "video_id"]], on="clip_id")
    conflicts = answers[answers["answer"] == "conflict"]
    rows: list[tuple[Any, ...]] = [
        (row.clip_id, row.name, row.shard, "reviewers_differ", 1.0) for row in rows_in(conflicts)
    ]
    judged = answers[answers["answer"].isin(["right", "wrong"])]
    unasked = _unasked(pool, answers)
    able = [str(name) for name, of_class in judged.groupby("name") if _is_enough(of_class)]
    judged, unasked = judged[judged["name"].isin(able)], unasked[unasked["name"].isin(able)]
    embedding_of = embed(pd.concat([judged[["clip_id", "shard"]], unasked[["clip_id", "shard"]]]))
    for name, of_class in judged.groupby("name", sort=True):
        ordered = of_class.sort_values("clip_id", ignore_index=True)
        rows += _of_class(ordered, unasked[unasked["name"] == name], embedding_of, params.random_seed)
    table = pd.DataFrame(rows, columns=COLUMNS).astype({**dict.fromkeys(COLUMNS[:4], "str"), "suspicion": "float64"})
    return table.sort_values(["suspicion", "clip_id", "name"], ascending=[False, True, True], ignore_index=True)


def _unasked(pool: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Labels of the highest scores in the half of the draw that no precision is estimated from yet."""
    answered = pd.MultiIndex.from_frame(answers[["clip_id", "name"]])
    is_answered = pd.MultiIndex.from_frame(pool[["clip_id", "name"]]).isin(answered)
    searched = pool.groupby(["clip_id", "name"])["searched"].transform("all")
    ordered = pool[searched & ~is_answered].sort_values(["score", "clip_id"], ascending=[False, True])
    return ordered.drop_duplicates(["clip_id", "name"]).groupby("name").head(LABELS_PER_CLASS)


def _is_enough(answers: pd.DataFrame) -> bool:
    """Whether both right and wrong labels are known from enough different videos to learn from."""
    videos = answers.groupby("answer")["video_id"].nunique()
    return len(videos) == 2 and int(videos.min()) >= MIN_ANSWERS


def _of_class(
    answers: pd.DataFrame, unasked: pd.DataFrame, embedding_of: Mapping[str, NDArray[np.float32]], seed: int
) -> Iterator[tuple[Any, ...]]:
    """Suspicious answers and labels of a class.

    Args:
        answers: judged, ordered.
        unasked: labels without an answer.
    """
    embedding_AE = np.stack([embedding_of[clip_id] for clip_id in answers["clip_id"]])
    is_right_A = (answers["answer"] == "right").to_numpy()
    right_A = _out_of_fold(embedding_AE, is_right_A, answers["video_id"].to_numpy(), seed)
    sure_right, sure_wrong = float(right_A[is_right_A].mean()), float(1 - right_A[~is_right_A].mean())
    for row, is_right, right in zip(rows_in(answers), is_right_A, right_A.tolist(), strict=True):
        said, needed = (right, sure_wrong) if is_right else (1 - right, sure_right)
        if 1 - said >= max(needed, 0.5):
            yield row.clip_id, row.name, row.shard, "answer_unlikely", 1 - said
    if len(unasked):
        embedding_UE = np.stack([embedding_of[clip_id] for clip_id in unasked["clip_id"]])
        right_U = _classifier().fit(embedding_AE, is_right_A).predict_proba(embedding_UE)[:, 1]
        for row, right in zip(rows_in(unasked), right_U.tolist(), strict=True):
            if 1 - right >= max(sure_wrong, 0.5):
                yield row.clip_id, row.name, row.shard, "label_unlikely", 1 - right


def _out_of_fold(
    embedding_AE: NDArray[np.float32], is_right_A: NDArray[np.bool_], videos_A: NDArray[Any], seed: int
) -> NDArray[np.float64]:
    """Probability that each answer is right, by a classifier of the answers about other videos [answers]."""
    right_A = np.full(len(is_right_A), np.nan)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(embedding_AE, is_right_A, videos_A):
        if is_right_A[train].all() or not is_right_A[train].any():
            right_A[test] = is_right_A[train].mean()  # videos of both kinds may leave a fold without one of them
        else:
            right_A[test] = (
                _classifier().fit(embedding_AE[train], is_right_A[train]).predict_proba(embedding_AE[test])[:, 1]
            )
    return right_A


def _classifier() -> LogisticRegression:
    return LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000)
