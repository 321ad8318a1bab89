"""The ingest and clip pipelines without Kedro: `python -m tests.growth SOURCES DATA WORKERS`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.fakes import folder_of
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos, gather_unclipped
from xmodal_kedro.pipelines.ingest.nodes import collect_videos, probe_sources
from xmodal_kedro.schemas.shard_checks import EachShard
from xmodal_kedro.storage import Folder, ShardJobs, Shards

LIMIT_S = 300.0
"""Timeout of one file, long enough for a busy machine."""


def ingest_and_clip(
    sources: Folder, data: Path, ingest: IngestParams, clip: ClipParams, engine: dict[str, Any]
) -> dict[str, int]:
    """Run both pipelines on `sources` and store their outputs in `data`.

    Returns:
        Numbers of usable, rejected, unclipped and cut short sources.
    """

    def sharded(name: str, schema: str, jobs: ShardJobs) -> Shards:
        dataset = ShardedParquetDataset(path=str(data / name), engine=engine, compression="none", row_group_rows=64)
        dataset.save(EachShard(schema).validate(jobs))
        return dataset.load()

    videos, rejected = collect_videos(sharded("probes", "Probes", probe_sources(sources, ingest)), sources)
    clips = sharded("clips", "Clips", clip_videos(videos, sources, clip, ingest))
    unclipped, cut_short = gather_unclipped(clips, videos)
    tables = {"videos": videos, "rejected": rejected, "unclipped": unclipped, "cut_short": cut_short}
    for name, table in tables.items():
        table.to_parquet(data / f"{name}.parquet")
    return {name: len(table) for name, table in tables.items()}


def run_in_small_shards(sources: Path, data: Path, workers: int) -> None:
    """Run with a few sources in each shard."""
    ingest_and_clip(
        folder_of(sources),
        data,
        IngestParams(shard_sources=3, timeout_s=LIMIT_S),
        ClipParams(shard_mb=0.8, timeout_s=LIMIT_S),
        {"backend": "loky", "workers": workers},
    )


if __name__ == "__main__":
    run_in_small_shards(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
