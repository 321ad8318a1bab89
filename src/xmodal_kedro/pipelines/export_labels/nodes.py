"""Nodes of the pipeline `export_labels`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import ExportLabelsParams
from xmodal_kedro.storage import DataFrame, Shards


def export_labels(
    clips: Shards, labels: Shards, label_vocabulary: DataFrame, videos: DataFrame, export_labels: ExportLabelsParams
) -> dict[str, Any]:
    """Jobs that join the targets of clips to events and write them, for all recordings or each.

    Raises:
        UserError: if clips and labels do not have the same shards.
    """
    from xmodal_kedro.exports.annotations import annotation_jobs
    from xmodal_kedro.exports.events import EventRule
    from xmodal_kedro.exports.sources import ClipTargets
    from xmodal_kedro.labels.counts import require_same_keys
    from xmodal_kedro.sharding import members

    require_same_keys({"clips": clips, "labels": labels})
    names = tuple(label_vocabulary.sort_values("index")["name"])
    uri_of = dict(zip(videos["video_id"], videos["uri"], strict=True))
    sources = {
        key: ClipTargets(clips[key], labels[key], names, {video_id: uri_of[video_id] for video_id in video_ids})
        for key, video_ids in members(uri_of, clips).items()
    }
    rule = EventRule(threshold=0.0, low_threshold=0.0, max_gap_s=export_labels.max_gap_s)
    return annotation_jobs(sources, rule, export_labels.formats)
