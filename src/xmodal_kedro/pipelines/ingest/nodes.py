"""Nodes of the `ingest` pipeline."""

from __future__ import annotations

import hashlib
import logging
from functools import partial

import pandas as pd

from xmodal_kedro.handles import Folder, ShardJobs, Shards
from xmodal_kedro.params import IngestParams
from xmodal_kedro.schemas import PROBES_ARROW, RejectedVideos, Videos

logger = logging.getLogger(__name__)


def probe_sources(source_videos: Folder, ingest: IngestParams) -> ShardJobs:
    """Spread the sources over shards by hash of their name; each shard's job probes its own.

    Raises:
        ValueError: if the folder holds no file.
    """
    from xmodal_kedro.media.probe import Source, probe_shard

    if not source_videos:
        raise ValueError(f"{source_videos.root} holds no file: put videos there, or name another folder as `source`")
    shards: dict[str, list[Source]] = {}
    for name, file in source_videos.items():
        index = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % ingest.shards
        shards.setdefault(f"shard-{index:05d}", []).append(Source(file))
    return {key: partial(probe_shard, tuple(sources), ingest) for key, sources in sorted(shards.items())}


def collect_videos(probes: Shards) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the probed sources into usable and rejected ones; of equal content, only the first name is used.

    Returns:
        `videos` and `rejected_videos`, both in order of `uri`.

    Raises:
        ValueError: if a source does not end in exactly one of the two.
    """
    tables = [probes[key]().to_pandas() for key in sorted(probes)]
    sources = pd.concat(tables, ignore_index=True) if tables else PROBES_ARROW.empty_table().to_pandas()
    sources = sources.sort_values("uri", ignore_index=True)
    kept_as = sources[sources["reason"] == ""].drop_duplicates("video_id").set_index("video_id")["uri"]
    repeated = (sources["reason"] == "") & (sources["uri"] != sources["video_id"].map(kept_as))
    sources.loc[repeated, "detail"] = "same content as " + sources.loc[repeated, "video_id"].map(kept_as)
    sources.loc[repeated, "reason"] = "duplicate"
    usable = sources["reason"] == ""
    videos = sources.loc[usable, list(Videos.to_schema().columns)].reset_index(drop=True)
    rejected = sources.loc[~usable, list(RejectedVideos.to_schema().columns)].reset_index(drop=True)
    reasons = ", ".join(f"{count} {reason}" for reason, count in rejected["reason"].value_counts().items())
    count = sources["uri"].nunique()
    balance = f"{count} sources = {len(videos)} usable + {len(rejected)} rejected ({reasons or '-'})"
    if count != len(videos) + len(rejected):
        raise ValueError(f"ingest doubled sources, {balance}: delete `probes` and run the ingest pipeline again")
    logger.info("ingest: %s", balance)
    return videos, rejected
