"""Clips that reviewers judged, with their sound, to make a classifier of."""

from __future__ import annotations

import pandas as pd

from xmodal_kedro.review.clips import find_clips
from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.rows import rows_of

SEPARATOR = "|"
"""Between several classes of a clip."""
COLUMNS = ["clip_id", "video_id", "right", "wrong", "audio"]


def confirmed_clips(reviewed: pd.DataFrame, clips: Shards) -> pd.DataFrame:
    """The clips of which some class is right or wrong: `schemas.ConfirmedClips`, in the order of their ids.

    Questions that are unsure or in conflict say nothing. Only shards that hold such a clip are read, and of these
    nothing but the rows.

    Args:
        reviewed: `ReviewedClips`.
        clips: shards of `Clips`.
    """
    judged = reviewed[reviewed["answer"].isin(["right", "wrong"])]
    said = {
        answer: rows.groupby("clip_id")["name"].agg(lambda names: SEPARATOR.join(sorted(names)))
        for answer, rows in judged.groupby("answer")
    }
    found = [pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS})]
    for key, spans in find_clips(clips, judged["clip_id"]).groupby("shard"):
        rows = rows_of(clips[str(key)], spans["clip_id"].tolist(), ("clip_id", "video_id", "audio")).to_pandas()
        for answer in ("right", "wrong"):
            rows[answer] = rows["clip_id"].map(said.get(answer, pd.Series(dtype=str))).fillna("")
        found.append(rows[COLUMNS])
    table = pd.concat(found).sort_values("clip_id", ignore_index=True)
    return table.astype({name: "str" for name in COLUMNS if name != "audio"})
