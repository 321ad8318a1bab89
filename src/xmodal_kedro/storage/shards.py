"""Protocols of shards, of the jobs that make them, and of checkpoints; the type of tables in nodes' annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from pandas import DataFrame as DataFrame
else:
    # Kedro resolves the annotations of nodes, which must not import pandas in every command line.
    DataFrame = object


class LoadShard(Protocol):
    """One stored shard, read on demand."""

    @property
    def path(self) -> str:
        """Where it is stored, for messages."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the job that made the shard: equal fingerprints mean equal content."""

    @property
    def num_rows(self) -> int:
        """Rows in the shard, read from its footer."""

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata that the shard's maker put on its table's schema."""

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the shard, or only its `columns`."""

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        """The Parquet file itself, to read one row group at a time. The caller closes it.

        Columns of `as_dictionary` are read as dictionary arrays, in which repeated values take little memory.
        """


Shards = Mapping[str, LoadShard]


class ShardJob(Protocol):
    """Makes a shard: its table, or an iterator of tables of one schema that are stored one after the other.

    The metadata of their schemas is stored with the shard. If keys repeat, the later table's value is stored, so that
    counts that are known at the end can be stored too.
    """

    def __call__(self) -> pa.Table | Iterator[pa.Table]:
        """Make it."""


ShardJobs = dict[str, ShardJob]
PROVISIONAL_KEY = "provisional"
"""Metadata key, with any value, of a shard that is affected by a temporary failure, such as storage that did not
answer. Such a shard counts as made, and the next save makes it again."""


class Checkpoints(Protocol):
    """Storage of a training's state."""

    @property
    def path(self) -> str:
        """Where it is stored, for messages."""

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and JSON-able state of the latest checkpoint that can be read; None before the first one."""

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], kept: int) -> None:
        """Store the checkpoint of a step atomically, then remove all but the `kept` latest."""

    def clear(self) -> None:
        """Remove all checkpoints."""
