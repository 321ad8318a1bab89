"""Nodes of the `clip` pipeline."""

from __future__ import annotations

import json
import logging
from functools import partial

import pandas as pd

from xmodal_kedro.handles import Folder, ShardJobs, Shards
from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import UnclippedVideos

logger = logging.getLogger(__name__)


def clip_videos(videos: pd.DataFrame, source_videos: Folder, clip: ClipParams) -> ShardJobs:
    """Spread the videos over shards by hash of their content; each shard's job cuts its own into clips.

    Raises:
        ValueError: if there is no usable video.
        FileNotFoundError: if a video is no longer in the folder.
    """
    from xmodal_kedro.media.clips import VideoSource, clip_shard

    if videos.empty:
        raise ValueError(
            f"none of the files in {source_videos.root} can be used: `rejected_videos` says why; add videos with "
            "sound and picture, and run `ingest` again"
        )
    shards: dict[str, list[VideoSource]] = {}
    for video in videos.sort_values("video_id").itertuples():
        index = int(str(video.video_id)[:8], 16) % clip.shards
        source = VideoSource(str(video.video_id), str(video.uri), source_videos.file(str(video.uri)).path)
        shards.setdefault(f"shard-{index:05d}", []).append(source)
    return {key: partial(clip_shard, tuple(sources), clip) for key, sources in sorted(shards.items())}


def gather_unclipped(clips: Shards, videos: pd.DataFrame) -> pd.DataFrame:
    """The usable videos that gave no clip, as the shards' makers reported them; logs the sum of all.

    Raises:
        ValueError: if a usable video is not either clipped or unclipped.
    """
    unclipped_rows: list[dict[str, str]] = []
    clipped: list[str] = []
    clip_count, seconds, silent_spans, unseen_spans = 0, 0.0, 0, 0
    for key in sorted(clips):
        report, spans = clips[key].metadata, clips[key](["video_id", "start_s", "end_s"]).to_pandas()
        unclipped_rows.extend(json.loads(report["unclipped"]))
        clipped += spans["video_id"].unique().tolist()
        clip_count += len(spans)
        seconds += float((spans["end_s"] - spans["start_s"]).sum())
        silent_spans += int(report["silent_spans"])
        unseen_spans += int(report["unseen_spans"])
    columns = list(UnclippedVideos.to_schema().columns)
    unclipped = pd.DataFrame(unclipped_rows, columns=columns, dtype=str).sort_values("uri", ignore_index=True)
    reasons = ", ".join(f"{count} {reason}" for reason, count in unclipped["reason"].value_counts().items())
    balance = f"{len(videos)} usable = {len(clipped)} clipped + {len(unclipped)} unclipped ({reasons or '-'})"
    if sorted([*clipped, *unclipped["video_id"]]) != sorted(videos["video_id"]):
        raise ValueError(
            f"clip lost or doubled videos, {balance}: run the ingest and clip pipelines again, both on the same sources"
        )
    logger.info("clip: %s", balance)
    logger.info(
        "clip: %d clips, %.3f hours; dropped %d silent and %d unseen spans",
        clip_count,
        seconds / 3600,
        silent_spans,
        unseen_spans,
    )
    return unclipped
