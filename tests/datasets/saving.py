"""Sharded datasets of plain numbers, and what is stored of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.datasets.jobs import numbers
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.storage import ShardJobs


def dataset(folder: Path, backend: str = "threading", workers: int = 2) -> ShardedParquetDataset:
    return ShardedParquetDataset(path=str(folder), engine={"backend": backend, "workers": workers}, row_group_rows=4)


def jobs(count: int = 6, log: str = "", rows: int = 10) -> ShardJobs:
    return {f"shard-{n:05d}": partial(numbers, 100 * n, rows, log) for n in range(count)}


def stored_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def runs(log: Path) -> list[int]:
    return sorted(int(line) for line in log.read_text().splitlines()) if log.exists() else []
