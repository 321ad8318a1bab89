"""Nodes of the pipeline `export_events`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import ExportEventsParams
from xmodal_kedro.storage import Shards


def export_events(recording_embeddings: Shards, export_events: ExportEventsParams) -> dict[str, Any]:
    """Jobs that join the tags of windows to events and write them, for all recordings or each."""
    from xmodal_kedro.exports.annotations import annotation_jobs
    from xmodal_kedro.exports.events import EventRule
    from xmodal_kedro.exports.sources import WindowTags

    rule = EventRule(export_events.threshold, export_events.low_threshold, export_events.max_gap_s)
    sources = {key: WindowTags(shard) for key, shard in recording_embeddings.items()}
    return annotation_jobs(sources, rule, export_events.formats)
