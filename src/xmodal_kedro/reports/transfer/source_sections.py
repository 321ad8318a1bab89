"""The report's sections on the sources: what became of each, and which hold one recording."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import pyarrow.compute as pc

from xmodal_kedro.media.outcomes import count_outcomes
from xmodal_kedro.reasons import REASONS
from xmodal_kedro.reports import html
from xmodal_kedro.storage import Shards

MAX_GROUPS = 10
MAX_NAMES = 8
"""Files of a group that are named: one recording may be in thousands."""


def learnt_from(
    videos: pd.DataFrame,
    rejected: pd.DataFrame,
    unclipped: pd.DataFrame,
    cut_short: pd.DataFrame,
    outcomes: go.Figure,
    clips: Shards,
    labels: Shards,
) -> str:
    """How much there is to learn from, and every source with what became of it."""
    used = videos[~videos["video_id"].isin(unclipped["video_id"])]
    whole = used[~used["video_id"].isin(cut_short["video_id"])]
    found = len(videos) + len(rejected)
    clip_count = sum(shard.num_rows for shard in clips.values())
    targeted = sum(int(shard.metadata["targeted"]) for shard in labels.values())
    figures = [
        ("Sources used", f"{len(used):,}", f"of {found:,} found"),
        ("Clips", f"{clip_count:,}", "cut from them"),
        ("Sound", _hours(_seconds(clips)), "in the clips"),
        ("Clips with a target", f"{targeted:,}", f"{html.share(targeted, clip_count)} of all clips"),
    ]
    rows = [
        (outcome.name, f"{outcome.count:,}", REASONS.get(outcome.reason, _length(whole)))
        for outcome in count_outcomes(videos, rejected, unclipped, cut_short)
    ]
    return html.section(
        "Learnt from",
        html.headline(figures),
        html.paragraph(
            "Every source that was found is counted in one row. Those used, to the end or in part, gave clips."
        ),
        html.table(("Sources", "Number", "Meaning"), [*rows, ("Found", f"{found:,}", "")], numbers=(1,), totals=1),
        html.figure(outcomes, "source-outcomes"),
    )


def near_duplicates(found: pd.DataFrame) -> str:
    """How many videos hold one recording, and the largest groups of them."""
    heading = "Near-duplicates"
    if found.empty:
        return html.section(heading, html.paragraph("No two videos were found to hold the same recording."))
    groups = sorted((group for _, group in found.groupby("group_id")), key=len, reverse=True)
    text = (
        f"{len(found):,} videos in {len(groups):,} {'group' if len(groups) == 1 else 'groups'}: those of a group hold "
        "one recording, such as re-encodings of it. A group is on one side of the split into training and validation."
    )
    if len(groups) > MAX_GROUPS:
        text += f" The {MAX_GROUPS} largest are shown."
    rows = [
        (_names(sorted(group["uri"])), f"{len(group):,}", f"{group['matched_s'].max():.1f} s")
        for group in groups[:MAX_GROUPS]
    ]
    return html.section(
        heading,
        html.paragraph(text),
        html.table(("Videos of a group", "Number", "Most sound in common"), rows, numbers=(1, 2)),
    )


def _names(uris: list[str]) -> str:
    """One a line."""
    more = [f"and {len(uris) - MAX_NAMES:,} more"] if len(uris) > MAX_NAMES else []
    return "\n".join(uris[:MAX_NAMES] + more)


def _seconds(clips: Shards) -> float:
    """Length of all clips, read shard by shard from two small columns."""
    spans = (shard(columns=["start_s", "end_s"]) for shard in clips.values())
    return float(sum(pc.sum(pc.subtract(span["end_s"], span["start_s"])).as_py() or 0.0 for span in spans))


def _length(videos: pd.DataFrame) -> str:
    return f"{_hours(videos['duration_s'].sum())} of recordings"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.2f} h"
