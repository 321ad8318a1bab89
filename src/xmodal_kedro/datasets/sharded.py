"""The sharded dataset: Parquet tables by key, made in parallel, resumed after a crash, read lazily."""

from __future__ import annotations

import json
import logging
import posixpath
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, Literal

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import sweep, whole_file
from xmodal_kedro.datasets.digest import digest
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.executor import Engine, describe_failures, run_all, stopwatch
from xmodal_kedro.datasets.fingerprint import fingerprint, job_recipe
from xmodal_kedro.datasets.index import read_index, write_index
from xmodal_kedro.datasets.legacy import legacy_fingerprints
from xmodal_kedro.datasets.parquet import Footer, read_footer, write_tables
from xmodal_kedro.datasets.preview import ROWS, TablePreview, preview_parquet, table_preview
from xmodal_kedro.datasets.stored_shard import FINGERPRINT_KEY, RECIPE_KEY, StoredShard
from xmodal_kedro.errors import is_of_storage
from xmodal_kedro.storage import PROVISIONAL_KEY, ShardJob, ShardJobs
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

PROVISIONAL_MARKER = "~"
INDEX_NAME = "_index.json"
SUFFIX = ".parquet"
FOOTERS_AT_A_TIME = 16
"""Footers read in parallel: on an object store, each takes tens of milliseconds."""


class ShardedParquetDataset(AbstractDataset[ShardJobs, dict[str, StoredShard]]):
    """Parquet tables by key in one folder, `<path>/<key>.parquet`.

    Saving takes jobs, not tables: a mapping of key to a callable without arguments that returns a table, or an
    iterator of tables, which are stored one after the other. Each job runs in a worker and writes its own shard, so no
    data passes through this process. A shard that an equal job has stored (see `fingerprint`) is kept, which serves
    both resuming after a crash and incremental runs. Shards are written atomically. If shards fail, the others are
    still made; then saving fails with the list of the failed ones. The index is written last, so the dataset exists
    only if every shard does.

    A shard whose metadata has `storage.PROVISIONAL_KEY` counts as made, under a fingerprint that no job has. The next
    save makes it again, and then also the results that depend on it.

    Loading returns a mapping of key to `StoredShard`, keys sorted.
    """

    def __init__(
        self,
        *,
        path: str,
        engine: Mapping[str, Any] | None = None,
        resources: Mapping[str, float] | None = None,
        compression: Literal["none", "zstd"] = "zstd",
        row_group_rows: int = 65_536,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            engine: fields of `Engine`.
            resources: what each job takes of a Dask worker, as in `Engine.resources`.
            compression: compression of every column; `none` for bytes that are read in random order.
            row_group_rows: rows of one row group, the unit of streaming.
            optional: whether a dataset that was never made is loaded as one without shards.
            metadata: for plugins; not used here.
        """
        self._engine = Engine(**{**(engine or {}), **({"resources": dict(resources)} if resources else {})})
        self._parquet_options: dict[str, Any] = {"compression": compression, "row_group_size": row_group_rows}
        self.optional = optional
        self._url = path
        self._fs, self._path = fsspec.url_to_fs(path)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def save(self, data: ShardJobs) -> None:
        name = posixpath.basename(self._path)
        planned = {key: fingerprint(job, self._parquet_options) for key, job in sorted(data.items())}
        index = read_index(self._fs, self._index_path, self._url)
        sweep(self._fs, self._path)
        stored = self._footers(self._stored_names())
        valid = [key for key in planned.keys() & stored.keys() if self._is_valid(stored[key], planned[key], data[key])]
        kept = {key: stored[key][FINGERPRINT_KEY] for key in valid}
        due = sorted(planned.keys() - kept.keys())
        if index != kept or due:
            self._release_index()
        self._explain(name, {key: stored[key] for key in due if key in stored}, data)
        tasks = {
            key: partial(_write_shard, self._url, key, planned[key], data[key], self._parquet_options) for key in due
        }
        with stopwatch() as seconds:
            failures = run_all(tasks, self._engine, name) if tasks else {}
        sweep(self._fs, self._path)  # partial files of workers that died; invalidates the cached listing
        counts = (counted(len(due) - len(failures), "shard"), len(kept), len(failures))
        level = logging.INFO if planned or stored else logging.DEBUG  # many steps have no part in a run
        logger.log(level, "%s: %s written, %d unchanged, %d failed, %.1f s", name, *counts, seconds())
        if failures:
            raise DataError(_describe_failed_shards(name, failures, len(planned)))
        for stale in stored.keys() - planned.keys():
            self._fs.rm_file(self._shard_path(stale))
        written = {key: footer.get(FINGERPRINT_KEY, "") for key, footer in self._footers(due).items()}
        missing = sorted(key for key, value in written.items() if not value)
        if missing:
            raise DataError(
                f"{name}: {len(missing)} of the shards that workers wrote, such as {missing[0]}, are not in "
                f"{self._url}: put data_root on storage that this machine and all workers see under the same address"
            )
        provisional = sum(PROVISIONAL_MARKER in value for value in written.values())
        if provisional:
            what = counted(provisional, "shard is", "shards are")
            logger.warning("%s: %s provisional, and made again by the next run", name, what)
        write_index(self._fs, self._index_path, kept | written)

    def load(self) -> dict[str, StoredShard]:
        index = read_index(self._fs, self._index_path, self._url)
        if index is None and self.optional and not self._stored_names():
            return {}
        if index is None:
            raise DataError(
                f"{self._url} is missing or not complete: run the pipeline that makes it; finished shards are kept"
            )
        return {key: StoredShard(self._shard_url(key), stored) for key, stored in sorted(index.items())}

    def require_readable_index(self) -> None:
        """Check that a save can go on from what is stored.

        Raises:
            DataError: if a newer version of this project stored it, or its index is broken.
        """
        read_index(self._fs, self._index_path, self._url)

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows of the first shard that has any, for Kedro-Viz."""
        preview = table_preview([], [])
        for shard in self.load().values():
            with shard.open() as parquet:
                preview = preview_parquet(parquet, nrows)
            if preview["data"]:
                break
        return preview

    def content(self) -> str | None:
        """Digest of the fingerprints and sizes of the shards; None if some are missing or provisional."""
        index = read_index(self._fs, self._index_path, self._url)
        if index is None or any(PROVISIONAL_MARKER in value for value in index.values()):
            return None
        files = {posixpath.basename(file["name"]): file["size"] for file in self._fs.ls(self._path, detail=True)}
        sizes = {key: files.get(key + SUFFIX) for key in index}
        return None if None in sizes.values() else digest(json.dumps([index, sizes], sort_keys=True))

    def _exists(self) -> bool:
        index = read_index(self._fs, self._index_path, self._url)
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

    def _footers(self, keys: Iterable[str]) -> dict[str, Footer]:
        with ThreadPoolExecutor(FOOTERS_AT_A_TIME) as threads:
            return dict(threads.map(lambda key: (key, _read_footer(self._fs, self._shard_path(key))), keys))

    def _is_valid(self, footer: Footer, planned: str, job: ShardJob) -> bool:
        """Whether a stored shard equals what its job would make, also if version 0.1 stored it."""
        stored = footer.get(FINGERPRINT_KEY)
        if RECIPE_KEY not in footer:
            return stored in legacy_fingerprints(job, self._parquet_options)
        return stored == planned

    def _explain(self, name: str, replaced: Mapping[str, Footer], jobs: ShardJobs) -> None:
        """Log why stored shards are made again, before it is done."""
        reasons = Counter(_why_replaced(footer, jobs[key]) for key, footer in replaced.items())
        for reason, count in sorted(reasons.items()):
            what = counted(count, "stored shard is", "stored shards are")
            logger.info("%s: %s made again: %s", name, what, reason)

    def _shard_path(self, key: str) -> str:
        return posixpath.join(self._path, key + SUFFIX)

    def _shard_url(self, key: str) -> str:
        return posixpath.join(self._url, key + SUFFIX)


def _write_shard(
    url: str,
    key: str,
    planned: str,
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
            write_tables(stream, tables, partial(_with_fingerprint, planned, job), **parquet_options)
    except _JobError as failed:
        raise failed.error from None


def _tables(job: ShardJob) -> Generator[pa.Table, None, None]:
    try:
        made = job()
        yield from [made] if isinstance(made, pa.Table) else made
    except Exception as error:
        raise _JobError(error) from error


class _JobError(Exception):
    """Wraps an error of a job, so that it is not taken for an error of the storage that is written to."""

    def __init__(self, error: Exception) -> None:
        super().__init__("the job failed")
        self.error = error


def _with_fingerprint(planned: str, job: ShardJob, footer: Footer) -> Footer:
    """The footer with the fingerprint under which the shard is stored, and its recipe."""
    if PROVISIONAL_KEY in footer:
        planned = f"{planned}{PROVISIONAL_MARKER}{digest(json.dumps(footer, sort_keys=True))}"
    recipe = job_recipe(job)
    return {**footer, FINGERPRINT_KEY: planned, RECIPE_KEY: json.dumps(recipe.describe() if recipe else None)}


def _read_footer(fs: fsspec.AbstractFileSystem, path: str) -> Footer:
    """A shard's footer; empty if the file is gone or no Parquet file, so that it is made again.

    Raises:
        OSError: if storage does not give it; it may be whole.
    """
    try:
        with fs.open(path, "rb") as stream:
            return read_footer(pq.ParquetFile(stream))
    except (pa.ArrowInvalid, OSError) as error:
        if is_of_storage(error) and not isinstance(error, FileNotFoundError):
            raise
        return {}


def _why_replaced(footer: Footer, job: ShardJob) -> str:
    if FINGERPRINT_KEY not in footer:
        return "they cannot be read"
    if RECIPE_KEY not in footer:
        return "version 0.1 stored them, and by its rules too their inputs, parameters or code differ"
    before, now = json.loads(footer[RECIPE_KEY]), job_recipe(job)
    if before is None or now is None:
        return "their content changed"
    if before["recipe"] != now.name or before["version"] != now.version:
        return f"they were made by recipe {before['recipe']} {before['version']}, and the recipe is now {now}"
    wanted = now.describe()["libraries"]
    changed = [
        f"{name} was {before['libraries'].get(name)} and is {has}"
        for name, has in wanted.items()
        if before["libraries"].get(name) != has
    ]
    if changed:
        return ", ".join(changed)
    if PROVISIONAL_MARKER in footer[FINGERPRINT_KEY]:
        return "storage did not give all that they are made of"
    return "their inputs or parameters changed"


def _describe_failed_shards(name: str, failures: Mapping[str, str], total: int) -> str:
    head = f"{name}: {len(failures)} of {total} shards failed; the others are kept, and a new run tries only these:"
    return f"{head}\n{describe_failures(failures)}"
