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
    from xmodal_kedro.exports.corpus import target_sources
    from xmodal_kedro.exports.events import EventRule

    sources = target_sources(clips, labels, label_vocabulary, videos)
    rule = EventRule(threshold=0.0, low_threshold=0.0, max_gap_s=export_labels.max_gap_s)
    return annotation_jobs(sources, rule, export_labels.formats)
