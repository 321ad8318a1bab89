"""The labelled clips of all shards, with the names and licences of their recordings."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.exports.clips import ClipSource
from xmodal_kedro.exports.sources import ClipTargets
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import Shards


def class_names(vocabulary: pd.DataFrame) -> tuple[str, ...]:
    """Names of the classes of `LabelVocabulary`, by index."""
    return tuple(vocabulary.sort_values("index")["name"])


def clip_sources(
    clips: Shards, labels: Shards, videos: pd.DataFrame, licences: Mapping[str, str], *, unlabelled: bool
) -> dict[str, ClipSource]:
    """The clips of each shard, by its key. A source has only what concerns its shard, so that others do not change it.

    Args:
        videos: `Videos`.
        licences: of recordings, by `uri`.
        unlabelled: whether clips without a target are part of it.

    Raises:
        UserError: if clips and labels do not have the same shards.
    """
    return {
        key: ClipSource(
            clips[key], labels[key], uris, {uri: licences[uri] for uri in uris.values() if uri in licences}, unlabelled
        )
        for key, uris in _uris_by_shard(clips, labels, videos).items()
    }


def target_sources(
    clips: Shards, labels: Shards, vocabulary: pd.DataFrame, videos: pd.DataFrame
) -> dict[str, ClipTargets]:
    """The targets of the clips of each shard, by its key.

    Raises:
        UserError: if clips and labels do not have the same shards.
    """
    names = class_names(vocabulary)
    return {
        key: ClipTargets(clips[key], labels[key], names, uris)
        for key, uris in _uris_by_shard(clips, labels, videos).items()
    }


def _uris_by_shard(clips: Shards, labels: Shards, videos: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Names of recordings by `video_id`, by the key of the shard that has their clips."""
    if clips.keys() != labels.keys():
        raise UserError("clips and labels do not have the same shards: run the pipelines clip to merge_labels again")
    uri_of = dict(zip(videos["video_id"], videos["uri"], strict=True))
    return {key: {video_id: uri_of[video_id] for video_id in ids} for key, ids in members(uri_of, clips).items()}
