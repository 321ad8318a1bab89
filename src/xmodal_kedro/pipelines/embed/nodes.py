"""Nodes of the pipeline `embed`."""

from __future__ import annotations

import hashlib
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
    source_videos: Folder,
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    model_thresholds: dict[str, Any],
    embed: EmbedParams,
) -> ShardJobs:
    """Distribute the recordings over shards by a hash of their name; each job embeds one shard.

    Raises:
        UserError: there is no recording, or weights and card do not fit each other.
    """
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.inference.recordings import WindowEmbedder, embed_recordings_shard
    from xmodal_kedro.media.probe import SourceFile
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.card_file import with_thresholds
    from xmodal_kedro.models.device import choose_device

    if not source_videos:
        raise UserError(f"{source_videos.root} has no files: put recordings there, or set `source` to another place")
    backbone, device = restore_backbone(model_card, model_weights), choose_device(embed.device, "embed.device")
    card = with_thresholds(model_card, model_thresholds) if embed.sure else model_card
    embedder = WindowEmbedder(AudioModel.of(backbone, card, device), embed)
    files = {hashlib.sha256(name.encode()).hexdigest(): file for name, file in source_videos.items()}
    weights = {
        name: max(file.size_bytes / (1e6 * embed.shard_mb), 1 / embed.shard_files) for name, file in files.items()
    }
    return {
        key: partial(embed_recordings_shard, tuple(SourceFile(files[name]) for name in names), embedder)
        for key, names in spread(weights, bound=1.0).items()
    }


def report_recordings(
    recording_embeddings: Shards,
    unheard_recordings: DataFrame,
    example_files: Folder,
    source_videos: Folder,
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    embed: EmbedParams,
) -> str:
    """What is heard how often, and the windows that are most like examples, as one self-contained HTML page."""
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.inference.examples import find_like
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.device import choose_device
    from xmodal_kedro.reports.embed import EmbedReport, count_tags

    backbone, device = restore_backbone(model_card, model_weights), choose_device(embed.device, "embed.device")
    model = AudioModel.of(backbone, model_card, device)
    return EmbedReport(
        model_card["model"],
        sum(shard.num_rows for shard in recording_embeddings.values()),
        len(source_videos),
        count_tags(recording_embeddings),
        unheard_recordings,
        find_like(example_files, recording_embeddings, source_videos, model, embed),
    ).render()


def gather_unheard(recording_embeddings: Shards, source_videos: Folder) -> DataFrame:
    """Sources that are not embedded to their end, and why; logs the counts."""
    from xmodal_kedro.inference.unheard import describe_unheard, unheard_recordings

    table = unheard_recordings(recording_embeddings)
    windows = sum(shard.num_rows for shard in recording_embeddings.values())
    found = f"{counted(windows, 'window')} of {counted(len(source_videos), 'source')}"
    logger.info("embed: %s; %s", found, describe_unheard(table))
    return table
