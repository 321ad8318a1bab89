"""The sharded dataset: a mapping of keys to Parquet tables, made in parallel, resumed for free, read lazily."""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import is_local, read_json, sweep, whole_file, write_json
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.executor import Engine, run_all, stopwatch, tell_failures
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.parquet import Footer, read_footer, write_tables
from xmodal_kedro.datasets.preview import ROWS, TablePreview, preview_parquet, table_preview
from xmodal_kedro.storage import PROVISIONAL_KEY, ShardJob, ShardJobs

logger = logging.getLogger(__name__)

FINGERPRINT_KEY = "xmodal.fingerprint"
PROVISIONAL_SIGN = "~"
INDEX_NAME = "_index.json"
SUFFIX = ".parquet"
FOOTERS_AT_A_TIME = 16
"""Footers read side by side: on an object store, each is a wait of tens of milliseconds."""


@dataclass(frozen=True)
class StoredShard:
    """A shard in storage; implements `handles.LoadShard`."""

    path: str
    fingerprint: str

    @property
    def num_rows(self) -> int:
        with self.open() as parquet:
            return int(parquet.metadata.num_rows)

    @property
    def metadata(self) -> dict[str, str]:
        with self.open() as parquet:
            footer = read_footer(parquet)
        return {key: value for key, value in footer.items() if key != FINGERPRINT_KEY}

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        with self.open() as parquet:
            return parquet.read(columns=list(columns) if columns is not None else None)

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        fs, path = fsspec.url_to_fs(self.path)
        source = path if is_local(fs) else fs.open(path, "rb")
        try:
            # Without `pre_buffer=False` all that was read of a remote file stays in memory until it is closed.
            return pq.ParquetFile(
                source, memory_map=is_local(fs), read_dictionary=list(as_dictionary), pre_buffer=False
            )
        except FileNotFoundError as error:
            raise DataError(f"{self.path} is missing: run the pipeline that makes it again") from error
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                f"{self.path} is not a whole Parquet file ({error}): delete it and run the pipeline that makes it again"
            ) from error


class ShardedParquetDataset(AbstractDataset[ShardJobs, dict[str, StoredShard]]):
    """Parquet tables by key in one folder, `<path>/<key>.parquet`.

    Saving takes jobs, not tables: a mapping of key to a callable without arguments that returns a table, or an
    iterator of tables, which are stored as they come. Each runs in a worker and writes its own shard, so no payload
    passes through this process. A shard already stored by an equal job (see `fingerprint`) is left as it is: that is
    resume after a crash and an incremental run in one. A shard appears whole or not at all. Shards that fail cost only
    themselves, until the end: then saving fails with the list of them. The index is written last, so the dataset
    exists only when every shard does.

    A shard whose metadata says that it is provisional (`handles.PROVISIONAL_KEY`) counts as made, under a fingerprint
    that no job has: so the next save makes it again, and whatever was made of it is made again once it is sound.

    Loading gives a mapping of key to `StoredShard`, in sorted order.
    """

    def __init__(
        self,
        *,
        path: str,
        engine: Mapping[str, Any] | None = None,
        resources: Mapping[str, float] | None = None,
        compression: Literal["none", "zstd"] = "zstd",
        row_group_rows: int = 65_536,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            engine: fields of `Engine`.
            resources: what each of these jobs takes of a Dask worker, as in `Engine.resources`.
            compression: of every column; `none` for bytes that are read in random order.
            row_group_rows: rows of one row group, the unit of streaming.
            metadata: for plugins; not used here.
        """
        self._engine = Engine(**{**(engine or {}), **({"resources": dict(resources)} if resources else {})})
        self._parquet_options: dict[str, Any] = {"compression": compression, "row_group_size": row_group_rows}
        self._url = path
        self._fs, self._path = fsspec.url_to_fs(path)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def save(self, data: ShardJobs) -> None:
        name = posixpath.basename(self._path)
        planned = {key: fingerprint(job, self._parquet_options) for key, job in sorted(data.items())}
        if read_json(self._fs, self._index_path) != planned:
            self._release_index()
        sweep(self._fs, self._path)
        stored = self._fingerprints(self._stored_names())
        due = {key: mark for key, mark in planned.items() if stored.get(key) != mark}
        tasks = {
            key: partial(_write_shard, self._url, key, mark, data[key], self._parquet_options)
            for key, mark in due.items()
        }
        with stopwatch() as seconds:
            failures = run_all(tasks, self._engine, name) if tasks else {}
        sweep(self._fs, self._path)  # of workers that died; what the others wrote is seen from here on
        counts = (len(due) - len(failures), len(planned) - len(due), len(failures))
        logger.info("%s: %d shards written, %d unchanged, %d failed, %.1f s", name, *counts, seconds())
        if failures:
            raise DataError(_describe_failures(name, failures, len(planned)))
        for stale in stored.keys() - planned.keys():
            self._fs.rm_file(self._shard_path(stale))
        written = self._fingerprints(due)
        unseen = sorted(key for key, mark in written.items() if not mark)
        if unseen:
            raise DataError(
                f"{name}: workers wrote {len(unseen)} shards, such as {unseen[0]}, that are not in {self._url}: put "
                "data_root on storage that this machine and all workers see under the same address"
            )
        made = planned | written
        provisional = sum(made[key] != mark for key, mark in planned.items())
        if provisional:
            logger.warning("%s: %d shards are provisional: the next run makes them again", name, provisional)
        write_json(self._fs, self._index_path, made)

    def load(self) -> dict[str, StoredShard]:
        index = read_json(self._fs, self._index_path)
        if index is None:
            raise DataError(
                f"{self._url} is missing or not complete: run the pipeline that makes it; finished shards are kept"
            )
        return {key: StoredShard(self._shard_url(key), mark) for key, mark in sorted(index.items())}

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows of the first shard that has any, for Kedro-Viz."""
        found = table_preview([], [])
        for shard in self.load().values():
            with shard.open() as parquet:
                found = preview_parquet(parquet, nrows)
            if found["data"]:
                break
        return found

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

    def _fingerprints(self, keys: Iterable[str]) -> dict[str, str]:
        with ThreadPoolExecutor(FOOTERS_AT_A_TIME) as threads:
            return dict(threads.map(lambda key: (key, _read_fingerprint(self._fs, self._shard_path(key))), keys))

    def _shard_path(self, key: str) -> str:
        return posixpath.join(self._path, key + SUFFIX)

    def _shard_url(self, key: str) -> str:
        return posixpath.join(self._url, key + SUFFIX)


def _write_shard(
    url: str,
    key: str,
    mark: str,
    job: ShardJob,
    parquet_options: Mapping[str, Any],
) -> None:
    """Make one shard and store it with its fingerprint in the footer; runs in a worker."""
    fs, folder = fsspec.url_to_fs(url)
    try:
        with (
            closing(_tables(job)) as tables,
            whole_file(fs, posixpath.join(folder, key + SUFFIX)) as path,
            fs.open(path, "wb") as stream,
        ):
            write_tables(stream, tables, partial(_marked, mark), **parquet_options)
    except _JobError as failed:
        raise failed.error from None


def _tables(job: ShardJob) -> Generator[pa.Table, None, None]:
    try:
        made = job()
        yield from [made] if isinstance(made, pa.Table) else made
    except OSError as error:
        raise _JobError(error) from error


class _JobError(Exception):
    """Carries an `OSError` of a job past the writer's, which speak of the storage that is written to."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _marked(mark: str, footer: Footer) -> Footer:
    """The footer with the fingerprint under which the shard is stored."""
    if PROVISIONAL_KEY in footer:
        digest = hashlib.blake2b(json.dumps(footer, sort_keys=True).encode(), digest_size=16).hexdigest()
        mark = f"{mark}{PROVISIONAL_SIGN}{digest}"
    return {**footer, FINGERPRINT_KEY: mark}


def _read_fingerprint(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """The fingerprint in a shard's footer; empty where the file is no Parquet of ours, so that it is made anew."""
    try:
        with fs.open(path, "rb") as stream:
            return read_footer(pq.ParquetFile(stream)).get(FINGERPRINT_KEY, "")
    except (pa.ArrowInvalid, OSError):
        return ""


def _describe_failures(name: str, failures: Mapping[str, str], total: int) -> str:
    head = f"{name}: {len(failures)} of {total} shards failed; the others are kept, and a new run tries only these:"
    return f"{head}\n{tell_failures(failures)}"
