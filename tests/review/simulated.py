"""Classes whose labels are right with a known probability by score, and reviewers who know the truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.draw import draw_questions

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def logistic(middle: float, slope: float) -> Curve:
    """Probability that a label is right, by its score."""
    return lambda score: 1 / (1 + np.exp(-slope * (score - middle)))


def constant(share: float) -> Curve:
    """The same probability at all scores."""
    return lambda score: np.full_like(score, share)


@cache
def _names(clips: int) -> pd.Index[str]:
    return pd.Index([f"c{number}" for number in range(clips)])


class World:
    """Labels of one class by one or two teachers.

    Attributes:
        pool: `ReviewPool`.
        is_right: whether the class is heard, by clip.
        scores: by modality and clip.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        clips: int,
        curve: Curve,
        bins: int = 10,
        shape: float = 1.0,
        modalities: tuple[str, ...] = ("audio", "visual"),
    ) -> None:
        own = generator.beta(shape, 1, clips).astype(np.float32)
        heard = generator.random(clips) < curve(own.astype(np.float64))
        names = _names(clips)
        self.is_right = pd.Series(heard, names)
        # The other teacher knows the truth in part, and names half of the clips.
        other = np.where(heard, generator.beta(3, 1, clips), generator.beta(1, 2, clips)).astype(np.float32)
        named = generator.random(clips) < 0.5
        self.scores = {"audio": pd.Series(own, names), "visual": pd.Series(other[named], names[named])}
        self.pool = pd.concat([self._pool(generator, name, bins) for name in modalities], ignore_index=True)

    def _pool(self, generator: np.random.Generator, modality: str, bins: int) -> pd.DataFrame:
        score = self.scores[modality]
        draw = generator.random(len(score))
        table = pd.DataFrame({"clip_id": score.index, "score": score.to_numpy(np.float64), "draw": draw})
        table["bin"] = np.minimum(table["score"] * bins, bins - 1).astype(int)
        table = table.sort_values(["bin", "draw"], ignore_index=True)
        by_bin = table.groupby("bin")
        return table.assign(
            name="Dog",
            modality=modality,
            low=table["bin"] / bins,
            stratum_clips=by_bin["clip_id"].transform("size"),
            rank=by_bin.cumcount(),
            searched=table["draw"] >= 0.5,
            shard="shard-all",
        ).drop(columns="draw")

    def precision(self, modality: str, threshold: float) -> float:
        """True share of labels at or above a score that are right."""
        kept = self.scores[modality][self.scores[modality] >= np.float32(threshold)]
        return float(self.is_right[kept.index].mean())

    def answer(self, asked: pd.DataFrame) -> pd.DataFrame:
        """`ReviewedClips` of reviewers who are always right."""
        table = asked[["clip_id", "name"]].drop_duplicates(ignore_index=True)
        right = table["clip_id"].map(self.is_right)
        return table.assign(answer=np.where(right, "right", "wrong"), asked=True, reviewers=1, seconds=3.0)

    def review(self, params: ReviewParams, rounds: int = 1) -> pd.DataFrame:
        """The answers to so many pages."""
        nothing = pd.DataFrame(columns=["clip_id", "name", "shard", "reason", "suspicion"])
        reviewed = self.answer(self.pool.iloc[:0])
        for _ in range(rounds):
            known = reviewed.assign(shard="shard-all")
            drawn = draw_questions(self.pool, known, nothing, params, embed)
            reviewed = pd.concat([reviewed, self.answer(drawn)], ignore_index=True)
        return reviewed


def embed(wanted: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """An embedding by the number of the clip."""
    return {clip: np.array([float(clip[1:])], np.float32) for clip in wanted["clip_id"]}
