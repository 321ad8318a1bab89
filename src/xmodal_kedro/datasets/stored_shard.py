"""One shard of a sharded dataset, read lazily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from xmodal_kedro.datasets.atomic import is_local
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.parquet import read_footer
from xmodal_kedro.errors import is_of_storage

FINGERPRINT_KEY = "xmodal.fingerprint"
RECIPE_KEY = "xmodal.recipe"
"""Metadata key of a shard's recipe, JSON: its name, version, and the versions of its libraries."""


@dataclass(frozen=True)
class StoredShard:
    """A shard in storage; implements `storage.LoadShard`."""

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
        return {key: value for key, value in footer.items() if key not in (FINGERPRINT_KEY, RECIPE_KEY)}

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        with self.open() as parquet:
            return parquet.read(columns=list(columns) if columns is not None else None, use_threads=False)

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        fs, path = fsspec.url_to_fs(self.path)
        source = path if is_local(fs) else fs.open(path, "rb")
        try:
            # Without `pre_buffer=False`, all that is read of a remote file stays in memory until it is closed.
            return pq.ParquetFile(
                source, memory_map=is_local(fs), read_dictionary=list(as_dictionary), pre_buffer=False
            )
        except FileNotFoundError as error:
            raise DataError(f"{self.path} is missing: run the pipeline that makes it again") from error
        except (pa.ArrowInvalid, OSError) as error:
            if is_of_storage(error):
                raise  # the shard may be whole
            raise DataError(
                f"{self.path} is not a whole Parquet file ({error}): delete it and run the pipeline that makes it again"
            ) from error
