"""The sharded dataset: a mapping of keys to Parquet tables, made in parallel, resumed for free, read lazily."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.engine import Engine, run_all, stopwatch
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.storage import is_local, read_json, sweep, whole_file, write_json

logger = logging.getLogger(__name__)

FINGERPRINT_KEY = b"xmodal.fingerprint"
INDEX_NAME = "_index.json"
SUFFIX = ".parquet"
MOST_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class StoredShard:
    """A shard in storage; implements `handles.LoadShard`."""

    path: str
    fingerprint: str
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        with self.open() as parquet:
            return int(parquet.metadata.num_rows)

    @property
    def metadata(self) -> dict[str, str]:
        with self.open() as parquet:
            stored = parquet.schema_arrow.metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if key != FINGERPRINT_KEY}

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        with self.open() as parquet:
            return parquet.read(columns=list(columns) if columns is not None else None)

    def open(self) -> pq.ParquetFile:
        fs, path = fsspec.url_to_fs(self.path, **self.storage_options)
        source = path if is_local(fs) else fs.open(path, "rb")
        try:
            return pq.ParquetFile(source, memory_map=is_local(fs))
        except (pa.ArrowInvalid, OSError) as error:
            raise DatasetError(
                f"{self.path} is not a whole Parquet file ({error}): delete it and run the pipeline that makes it again"
            ) from error


class ShardedParquetDataset(AbstractDataset[dict[str, Callable[[], pa.Table]], dict[str, StoredShard]]):
    """Parquet tables by key in one folder, `<path>/<key>.parquet`.

    Saving takes jobs, not tables: a mapping of key to a callable without arguments that returns a table. Each runs in
    a worker and writes its own shard, so no payload passes through this process. A shard already stored by an equal
    job (see `fingerprint`) is left as it is: that is resume after a crash and an incremental run in one. A shard
    appears whole or not at all. Shards that fail cost only themselves, until the end: then saving fails with the list
    of them. The index is written last, so the dataset exists only when every shard does.

    Loading gives a mapping of key to `StoredShard`, in sorted order.
    """

    def __init__(
        self,
        *,
        path: str,
        engine: Mapping[str, Any] | None = None,
        compression: Literal["none", "zstd"] = "zstd",
        row_group_rows: int = 65_536,
        storage_options: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            engine: fields of `Engine`.
            compression: of every column; `none` for bytes that are read in random order.
            row_group_rows: rows of one row group, the unit of streaming.
            storage_options: of the fsspec filesystem.
            metadata: for plugins; not used here.
        """
        self._engine = Engine(**(engine or {}))
        self._parquet_options = {"compression": compression, "row_group_size": row_group_rows}
        self._storage_options = dict(storage_options or {})
        self._url = path
        self._fs, self._path = fsspec.url_to_fs(path, **self._storage_options)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def save(self, data: dict[str, Callable[[], pa.Table]]) -> None:
        name = posixpath.basename(self._path)
        planned = {key: fingerprint(job, self._parquet_options) for key, job in sorted(data.items())}
        if read_json(self._fs, self._index_path) != planned:
            self._release_index()
        sweep(self._fs, self._path)
        stored = self._stored_fingerprints()
        due = {key: mark for key, mark in planned.items() if stored.get(key) != mark}
        tasks = {
            key: partial(_write_shard, self._url, key, mark, data[key], self._parquet_options, self._storage_options)
            for key, mark in due.items()
        }
        with stopwatch() as seconds:
            failures = run_all(tasks, self._engine, name) if tasks else {}
        counts = (len(due) - len(failures), len(planned) - len(due), len(failures))
        logger.info("%s: %d shards written, %d unchanged, %d failed, %.1f s", name, *counts, seconds())
        if failures:
            raise DatasetError(_describe_failures(name, failures, len(planned)))
        for stale in stored.keys() - planned.keys():
            self._fs.rm_file(self._shard_path(stale))
        write_json(self._fs, self._index_path, planned)

    def load(self) -> dict[str, StoredShard]:
        index = read_json(self._fs, self._index_path)
        if index is None:
            raise DatasetError(
                f"{self._url} is missing or not complete: run the pipeline that makes it; finished shards are kept"
            )
        return {
            key: StoredShard(self._shard_url(key), mark, self._storage_options) for key, mark in sorted(index.items())
        }

    def _exists(self) -> bool:
        index = read_json(self._fs, self._index_path)
        return index is not None and index.keys() <= self._stored_names()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._url, "engine": self._engine, **self._parquet_options}

    def _release_index(self) -> None:
        if self._fs.isfile(self._index_path):
            self._fs.rm_file(self._index_path)

    def _stored_names(self) -> set[str]:
        if not self._fs.isdir(self._path):
            return set()
        names = (posixpath.basename(path) for path in self._fs.ls(self._path, detail=False))
        return {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}

    def _stored_fingerprints(self) -> dict[str, str]:
        return {key: _read_fingerprint(self._fs, self._shard_path(key)) for key in self._stored_names()}

    def _shard_path(self, key: str) -> str:
        return posixpath.join(self._path, key + SUFFIX)

    def _shard_url(self, key: str) -> str:
        return posixpath.join(self._url, key + SUFFIX)


def _write_shard(
    url: str,
    key: str,
    mark: str,
    job: Callable[[], pa.Table],
    parquet_options: Mapping[str, Any],
    storage_options: Mapping[str, Any],
) -> None:
    """Make one shard and store it with its fingerprint in the footer; runs in a worker."""
    fs, folder = fsspec.url_to_fs(url, **storage_options)
    table = job()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), FINGERPRINT_KEY: mark.encode()})
    with whole_file(fs, posixpath.join(folder, key + SUFFIX)) as path, fs.open(path, "wb") as stream:
        pq.write_table(table, stream, **parquet_options)


def _read_fingerprint(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """The fingerprint in a shard's footer; empty where the file is no Parquet of ours, so that it is made anew."""
    try:
        with fs.open(path, "rb") as stream:
            return (pq.read_schema(stream).metadata or {}).get(FINGERPRINT_KEY, b"").decode()
    except (pa.ArrowInvalid, OSError):
        return ""


def _describe_failures(name: str, failures: Mapping[str, str], total: int) -> str:
    head = f"{name}: {len(failures)} of {total} shards failed; the others are kept, and a new run tries only these:"
    shown = [f"  {key}: {failure}" for key, failure in list(failures.items())[:MOST_FAILURES_SHOWN]]
    more = len(failures) - len(shown)
    return "\n".join([head, *shown, *([f"  and {more} more"] if more else [])])
