"""Nodes of the pipeline `embed`."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import partial
from typing import Any

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.sharding import spread
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)


def embed_recordings(
    source_videos: Folder, model_weights: dict[str, Any], model_card: dict[str, Any], embed: EmbedParams
) -> ShardJobs:
    """Distribute the recordings over shards by a hash of their name; each job embeds one shard.

    Raises:
        UserError: there is no recording, or weights and card do not fit each other.
    """
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.inference.recordings import WindowEmbedder, embed_recordings_shard
    from xmodal_kedro.media.probe import SourceFile
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.device import choose_device

    if not source_videos:
        raise UserError(f"{source_videos.root} has no files: put recordings there, or set `source` to another place")
    backbone, device = restore_backbone(model_card, model_weights), choose_device(embed.device, "embed.device")
    embedder = WindowEmbedder(AudioModel.of(backbone, model_card, device), embed)
    files = {hashlib.sha256(name.encode()).hexdigest(): file for name, file in source_videos.items()}
    weights = {
        name: max(file.size_bytes / (1e6 * embed.shard_mb), 1 / embed.shard_files) for name, file in files.items()
    }
    return {
        key: partial(embed_recordings_shard, tuple(SourceFile(files[name]) for name in names), embedder)
        for key, names in spread(weights, bound=1.0).items()
    }


def gather_unheard(recording_embeddings: Shards, source_videos: Folder) -> DataFrame:
    """Recordings that could not be embedded to their end, and why; logs the counts."""
    import pandas as pd

    from xmodal_kedro.inference.recordings import FAILED_KEY
    from xmodal_kedro.schemas import UnheardRecordings

    failed = [row for shard in recording_embeddings.values() for row in json.loads(shard.metadata[FAILED_KEY])]
    table = pd.DataFrame(failed, columns=list(UnheardRecordings.to_schema().columns)).astype(str)
    rows = sum(shard.num_rows for shard in recording_embeddings.values())
    message = (
        f"embed: {counted(rows, 'window')} of {counted(len(source_videos), 'recording')}; {len(table)} could not be "
        "embedded to their end"
    )
    logger.info("%s%s", message, f" ({', '.join(sorted(set(table['reason'])))})" if len(table) else "")
    return table.sort_values("uri", ignore_index=True)
