"""Which clips and classes people are asked about next."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import pandas as pd

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.search import Embed, search

STRATUM = ["name", "modality", "bin"]


@dataclass
class Draw:
    """Questions by clip, in the order in which they are drawn.

    Attributes:
        questions: by clip and class, why it is asked, and the modality and the bin of the stratum that it was drawn
            from; `""` and -1 if from none.
        clips: that are asked about.
    """

    questions: dict[tuple[str, str], tuple[str, str, int]] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)

    def ask(self, clip_id: str, name: str, drawn: str, modality: str = "", bin_: int = -1) -> None:
        """Add a question. The first reason for it stands."""
        self.clips.setdefault(clip_id, len(self.clips))
        self.questions.setdefault((clip_id, name), (drawn, modality, bin_))

    def table(self) -> pd.DataFrame:
        """Columns `clip_id`, `name`, `drawn`, `modality`, `bin`: clip by clip, in the order of the draw."""
        rows = [(*question, *reason) for question, reason in self.questions.items()]
        rows.sort(key=lambda row: self.clips[row[0]])
        return pd.DataFrame(rows, columns=["clip_id", "name", "drawn", "modality", "bin"]).astype({"bin": "int64"})


def draw_questions(
    pool: pd.DataFrame, answers: pd.DataFrame, suspects: pd.DataFrame, params: ReviewParams, embed: Embed
) -> pd.DataFrame:
    """At most `params.budget` clips: suspicious answers, then an even draw over strata, then those worth a look.

    Of what the even draw leaves of the budget, suspicious ones take half at most.

    Each stratum is asked about in the order of its draw. So, wherever a reviewer stops, the answered clips of a stratum
    up to the first that is not answered are a random sample of it.

    Args:
        pool: `ReviewPool`.
        answers: of clips that are there: columns `clip_id`, `name`, `answer` as `combine_answers` returns them, and
            `shard`. What is answered is not asked again, unless it is suspicious.
        suspects: `ReviewSuspects`.
        embed: gives embeddings of clips.

    Returns:
        See `Draw.table`.
    """
    draw = Draw()
    even = max(1, round(params.budget * params.even_share))
    for clip_id, name in _suspicious(suspects, pool, (params.budget - even + 1) // 2):
        draw.ask(clip_id, name, "suspicious")
    _draw_evenly(draw, pool, answers, even, params)
    missing = params.budget - len(draw.clips)
    if missing > 0 and len(candidates := _candidates(draw, pool, answers)):
        confirmed = answers[answers["answer"] == "right"]
        for found in search(candidates, confirmed, missing, embed):
            if len(draw.clips) == params.budget:
                break
            if found.clip_id not in draw.clips:
                draw.ask(found.clip_id, found.name, found.drawn)
    return draw.table()


def _candidates(draw: Draw, pool: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The rows of the pool in which clips are searched: of new clips, in the upper half of each of their strata."""
    answered = pd.MultiIndex.from_frame(answers[["clip_id", "name"]])
    pairs = pd.MultiIndex.from_frame(pool[["clip_id", "name"]])
    searched = pool.groupby(["clip_id", "name"])["searched"].transform("all")
    return pool[searched & ~pairs.isin(answered) & ~pool["clip_id"].isin(draw.clips)]


def _suspicious(suspects: pd.DataFrame, pool: pd.DataFrame, limit: int) -> Iterator[tuple[str, str]]:
    """The most suspicious questions about the classes of the pool, of at most `limit` clips."""
    ordered = suspects[suspects["name"].isin(pool["name"])].sort_values(
        ["suspicion", "clip_id", "name"], ascending=[False, True, True]
    )
    kept = ordered["clip_id"].drop_duplicates().head(limit)
    rows = ordered[ordered["clip_id"].isin(kept)]
    yield from zip(rows["clip_id"], rows["name"], strict=True)


def _draw_evenly(draw: Draw, pool: pd.DataFrame, answers: pd.DataFrame, clips: int, params: ReviewParams) -> None:
    """Draw from the strata with the fewest answers first, until there are so many more clips."""
    answered = set(zip(answers["clip_id"], answers["name"], strict=True))
    place = _spread(params.score_bins)
    tie = count()
    waiting: list[tuple[int, int, int, str, int, list[str]]] = []
    in_order = pool.sort_values("rank", kind="stable")
    by_stratum = in_order.groupby(STRATUM, sort=True)
    in_order = in_order[in_order["rank"] == by_stratum.cumcount()]
    for stratum_, drawn in in_order.groupby(STRATUM, sort=True)["clip_id"]:
        name, modality, bin_ = cast("tuple[str, str, int]", stratum_)
        open_ = [str(clip_id) for clip_id in drawn if (clip_id, name) not in answered]
        if open_:
            done = len(drawn) - len(open_)
            waiting.append((done, place[int(bin_)], next(tie), f"{modality} {name}", int(bin_), open_[::-1]))
    heapq.heapify(waiting)
    limit = min(params.budget, len(draw.clips) + clips)
    while waiting and len(draw.clips) < limit:
        done, order, number, stratum, bin_, open_ = heapq.heappop(waiting)
        modality, _, name = stratum.partition(" ")
        draw.ask(open_.pop(), name, "score", modality, bin_)
        if open_:
            heapq.heappush(waiting, (done + 1, order, number, stratum, bin_, open_))


def _spread(bins: int) -> dict[int, int]:
    """Places of bins in an order in which the first few are far apart, the highest first: by their reversed bits."""
    bits = (bins - 1).bit_length()
    ordered = sorted(range(bins), key=lambda bin_: int(f"{bins - 1 - bin_:0{bits}b}"[::-1], 2))
    return {bin_: place for place, bin_ in enumerate(ordered)}
