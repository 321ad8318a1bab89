"""Nodes of `merge_labels`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from xmodal_kedro.handles import ShardJobs, Shards
from xmodal_kedro.params import MergeParams


def build_vocabulary(visual_labels: Shards, audio_labels: Shards, merge_labels: MergeParams) -> pd.DataFrame:
    """Count the classes over all shards and keep those with enough clips."""
    from xmodal_kedro.labelling.vocabulary import count_classes

    return count_classes(visual_labels, audio_labels, merge_labels)


def merge_shards(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    label_vocabulary: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    merge_labels: MergeParams,
) -> ShardJobs:
    """Write the training targets, shard by shard; near-duplicates fall on one side of the split."""
    from xmodal_kedro.labelling.merge import merge_jobs

    return merge_jobs(clips, visual_labels, audio_labels, label_vocabulary, near_duplicates, merge_labels)


def summarise_labels(
    label_vocabulary: pd.DataFrame, labels: Shards, visual_labels: Shards, audio_labels: Shards
) -> Any:
    """Draw how often each class occurs, as a plotly figure."""
    from xmodal_kedro.labelling.histogram import label_histogram

    return label_histogram(label_vocabulary, labels, visual_labels, audio_labels)
