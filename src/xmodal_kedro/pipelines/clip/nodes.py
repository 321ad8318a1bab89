"""Nodes of the `clip` pipeline."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.sharding import spread
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards
from xmodal_kedro.wording import counted

if TYPE_CHECKING:
    from xmodal_kedro.schemas import Table

logger = logging.getLogger(__name__)


def clip_videos(videos: DataFrame, source_videos: Folder, clip: ClipParams, ingest: IngestParams) -> ShardJobs:
    """Distribute the videos over shards of bounded size by a hash of their content; each job clips one shard.

    Clips without a frame are kept, unless `ingest.without_video` is `reject`.

    Raises:
        UserError: there is no usable video.
    """
    from xmodal_kedro.media.clip_rows import StreamUse
    from xmodal_kedro.media.clip_shard import VideoSource, clip_shard, estimated_bytes

    if videos.empty:
        raise UserError(
            f"none of the files in {source_videos.root} can be used: `rejected_videos` says why; add videos with "
            "audio and video, and run `ingest` again"
        )
    sources: dict[str, VideoSource] = {}
    weights: dict[str, float] = {}
    for row in videos.to_dict("records"):
        video_id, uri = str(row["video_id"]), str(row["uri"])
        use = StreamUse.of(row, needs_frames=ingest.without_video == "reject")
        sources[video_id] = VideoSource(video_id, uri, source_videos.get(uri), int(row["size_bytes"]), use)
        weights[video_id] = estimated_bytes(float(row["duration_s"]), use.video_track < 0, clip)
    return {
        key: partial(clip_shard, tuple(sources[video_id] for video_id in video_ids), clip)
        for key, video_ids in spread(weights, bound=1e6 * clip.shard_mb).items()
    }


def gather_unclipped(clips: Shards, videos: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Collect the shards' reports of videos without clips, or not decoded to their end; logs the counts.

    Returns:
        `unclipped_videos` and `cut_short_videos`, both in order of `uri`.

    Raises:
        UserError: a usable video is not either clipped or unclipped, or one that was cut short is not clipped.
    """
    from xmodal_kedro.media.accounting import add_up
    from xmodal_kedro.media.outcomes import describe_count
    from xmodal_kedro.schemas import CutShortVideos, UnclippedVideos

    totals = add_up(clips)
    clipped, report = totals.clipped, totals.report
    unclipped, cut_short = _table(report.unclipped, UnclippedVideos), _table(report.cut_short, CutShortVideos)
    balance = (
        f"{len(videos)} usable = {len(clipped)} clipped + {describe_count(unclipped, 'unclipped')}; "
        f"{len(clipped)} clipped = {len(clipped) - len(cut_short)} whole + {describe_count(cut_short, 'cut short')}"
    )
    lost = sorted([*clipped, *unclipped["video_id"]]) != sorted(videos["video_id"])
    if lost or cut_short["video_id"].duplicated().any() or not set(cut_short["video_id"]) <= set(clipped):
        raise UserError(
            f"clip lost or doubled videos, {balance}: run the ingest and clip pipelines again, both on the same sources"
        )
    logger.info("clip: %s", balance)
    left_out = f"spans of clipped videos left out: {report.silent_spans} silent, {report.unseen_spans} without a frame"
    still = f"; {counted(totals.still_clips, 'clip')} under a still picture" if totals.still_clips else ""
    logger.info("clip: %d clips, %.3f hours; %s%s", totals.clips, totals.duration_s / 3600, left_out, still)
    return unclipped, cut_short


def plot_sources(
    videos: DataFrame,
    rejected_videos: DataFrame,
    unclipped_videos: DataFrame,
    cut_short_videos: DataFrame,
) -> Any:
    """The outcomes of all sources, and their reasons, as a plotly figure."""
    from xmodal_kedro.media.outcomes import plot_outcomes

    return plot_outcomes(videos, rejected_videos, unclipped_videos, cut_short_videos)


def _table(rows: list[dict[str, str]], schema: type[Table]) -> DataFrame:
    import pandas as pd

    columns = list(schema.to_schema().columns)
    return pd.DataFrame(rows, columns=columns, dtype=str).sort_values("uri", ignore_index=True)
