"""Nodes of the `clip` pipeline that find near-duplicates."""

from __future__ import annotations

import logging
from functools import partial

from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.storage import DataFrame, ShardJobs, Shards

logger = logging.getLogger(__name__)


def sign_videos(clips: Shards) -> ShardJobs:
    """Fingerprint the audio and hash the frames of each clip."""
    from xmodal_kedro.dedup.signature import sign_shard

    return {key: partial(sign_shard, load) for key, load in clips.items()}


def group_near_duplicates(signatures: Shards, videos: DataFrame, near_duplicates: NearDuplicateParams) -> DataFrame:
    """Group the videos with the same content; logs their number."""
    from xmodal_kedro.dedup.groups import find_near_duplicates

    members = find_near_duplicates(signatures, videos, near_duplicates)
    groups = members["group_id"].nunique()
    logger.info("clip: %d near-duplicates in %d %s", len(members), groups, "group" if groups == 1 else "groups")
    return members
