"""The questions of a page: what is drawn, with the clips that it is about."""

from __future__ import annotations

import logging

import pandas as pd

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.answers import combine_answers, read_answers, warn_of_lost
from xmodal_kedro.review.clips import find_clips
from xmodal_kedro.review.draw import draw_questions
from xmodal_kedro.review.search import Embed
from xmodal_kedro.storage import Folder, Shards
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)


def questions(
    pool: pd.DataFrame,
    answers: Folder,
    suspects: pd.DataFrame,
    clips: Shards,
    params: ReviewParams,
    embed: Embed,
) -> pd.DataFrame:
    """What people are asked next: `ReviewQuestions`. How clips are divided into shards does not matter.

    Args:
        pool: `ReviewPool`.
        answers: files of reviewers.
        suspects: `ReviewSuspects`.

    Raises:
        UserError: see `read_answers`.
    """
    combined = combine_answers(read_answers(answers))
    known = find_clips(clips, {*combined["clip_id"], *suspects["clip_id"]})
    combined = warn_of_lost(combined, set(known["clip_id"])).merge(known[["clip_id", "shard"]], on="clip_id")
    suspects = suspects[suspects["clip_id"].isin(known["clip_id"])]
    drawn = draw_questions(pool, combined, suspects, params, embed)
    spans = find_clips(clips, drawn["clip_id"].unique())
    scores = pool.pivot_table(index=["clip_id", "name"], columns="modality", values="score", aggfunc="max")
    scores = scores.reindex(columns=["visual", "audio"]).add_suffix("_score").reset_index()
    table = drawn.merge(spans, on="clip_id", how="left").merge(scores, on=["clip_id", "name"], how="left")
    by_reason = ", ".join(f"{count} {reason}" for reason, count in drawn["drawn"].value_counts(sort=False).items())
    logger.info(
        "review: %s about %s%s",
        counted(len(drawn), "question"),
        counted(drawn["clip_id"].nunique(), "clip"),
        f" ({by_reason})" if by_reason else ", as all that can be asked is answered",
    )
    return table[list(_KINDS)].astype(_KINDS)


_KINDS = {
    **dict.fromkeys(["clip_id", "name", "shard", "video_id"], "str"),
    **dict.fromkeys(["start_s", "end_s", "visual_score", "audio_score"], "float64"),
    **{"drawn": "str", "modality": "str", "bin": "int64"},
}
