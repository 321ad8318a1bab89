"""Nodes of the `ingest` pipeline."""

from __future__ import annotations

import hashlib
import logging
from functools import partial

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import IngestParams
from xmodal_kedro.sharding import spread
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards

logger = logging.getLogger(__name__)


def probe_sources(source_videos: Folder, ingest: IngestParams) -> ShardJobs:
    """Distribute the sources over shards of bounded number and size by a hash of their name; each job probes one shard.

    Raises:
        UserError: there is no source.
    """
    from xmodal_kedro.media.probe import SourceFile, probe_shard

    if not source_videos:
        raise UserError(f"{source_videos.root} has no files: put videos there, or set `source` to another folder")
    files = {hashlib.sha256(name.encode()).hexdigest(): file for name, file in source_videos.items()}
    max_bytes, max_sources = 1e9 * ingest.shard_gb, ingest.shard_sources
    weights = {digest: max(file.size_bytes / max_bytes, 1 / max_sources) for digest, file in files.items()}
    return {
        key: partial(probe_shard, tuple(SourceFile(files[digest]) for digest in digests), ingest)
        for key, digests in spread(weights, bound=1.0).items()
    }


def collect_videos(probes: Shards, source_videos: Folder) -> tuple[DataFrame, DataFrame]:
    """Split the probed sources into usable and rejected ones; of equal files, only the first name is used.

    Returns:
        `videos` and `rejected_videos`, both in order of `uri`.

    Raises:
        UserError: a source is not in exactly one of the two tables.
    """
    import pandas as pd

    from xmodal_kedro.media.outcomes import describe_count
    from xmodal_kedro.schemas import PROBES_ARROW, RejectedVideos, Videos

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
    balance = f"{len(source_videos)} sources = {len(videos)} usable + {describe_count(rejected, 'rejected')}"
    if sorted([*videos["uri"], *rejected["uri"]]) != sorted(source_videos):
        raise UserError(
            f"ingest lost or doubled sources, {balance}: if files were added or removed meanwhile, run the ingest "
            "pipeline again; if that does not help, delete `probes` first"
        )
    logger.info("ingest: %s", balance)
    if without_video := int((videos["video_track"] < 0).sum()):
        logger.info("ingest: %d of the usable have no video, and are labelled by their sound alone", without_video)
    return videos, rejected
