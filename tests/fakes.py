"""Small fakes of the objects that datasets pass to nodes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import joblib
import pyarrow as pa
import pyarrow.parquet as pq

from xmodal_kedro.storage import FileRef, Folder, ShardJob


class MemoryShard:
    """A shard in memory as Parquet bytes, with the interface of a stored one."""

    def __init__(self, table: pa.Table, row_group_size: int = 8) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=row_group_size, compression="none")
        self._parquet = buffer.getvalue()
        self.path = "memory"

    @property
    def fingerprint(self) -> str:
        return str(joblib.hash(self._parquet))

    @property
    def num_rows(self) -> int:
        return int(pq.read_metadata(io.BytesIO(self._parquet)).num_rows)

    @property
    def metadata(self) -> dict[str, str]:
        stored = pq.read_schema(io.BytesIO(self._parquet)).metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if key != b"ARROW:schema"}

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        return pq.read_table(io.BytesIO(self._parquet), columns=list(columns) if columns is not None else None)

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        return pq.ParquetFile(io.BytesIO(self._parquet), read_dictionary=list(as_dictionary))


def shard_of(job: ShardJob) -> MemoryShard:
    """The output of a job, which is a table or an iterator of tables."""
    made = job()
    tables = [made] if isinstance(made, pa.Table) else list(made)
    metadata = {key: value for table in tables for key, value in (table.schema.metadata or {}).items()}
    rows = pa.concat_tables(table.replace_schema_metadata(None) for table in tables)
    return MemoryShard(rows.replace_schema_metadata(metadata))


def folder_of(root: Path) -> Folder:
    """Every file below `root` as a `Folder`."""
    files = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            name = path.relative_to(root).as_posix()
            stat = path.stat()
            files[name] = FileRef(name, str(path), stat.st_size, stat.st_mtime_ns)
    return Folder(str(root), files)
