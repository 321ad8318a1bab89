"""Nodes of the pipeline `export_map`."""

from __future__ import annotations

import hashlib
from functools import partial

from xmodal_kedro.params import ExportMapParams
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import Folder, ShardJobs, Shards


def export_map(recording_embeddings: Shards, source_videos: Folder, export_map: ExportMapParams) -> ShardJobs:
    """Draw windows of all shards; each job writes those of one, with the sound and pictures of their recordings."""
    from xmodal_kedro.exports.draw import share_of
    from xmodal_kedro.exports.map_rows import map_shard
    from xmodal_kedro.media.probe import SourceFile

    share = share_of(recording_embeddings.values(), export_map.seed, export_map.max_rows)
    files = {hashlib.sha256(name.encode()).hexdigest(): file for name, file in source_videos.items()}
    return {
        key: partial(
            map_shard,
            recording_embeddings[key],
            share,
            {files[digest].name: SourceFile(files[digest]) for digest in digests},
            export_map,
        )
        for key, digests in members(files, recording_embeddings).items()
    }
