"""Shards, the jobs that make them, checkpoints, and tables as nodes name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from pandas import DataFrame as DataFrame
else:
    # Kedro resolves the annotations of nodes, and no command line should wait for pandas because of that.
    DataFrame = object


class LoadShard(Protocol):
    """One stored shard, read on demand."""

    @property
    def path(self) -> str:
        """Where it is stored, to name it by."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of what made the shard: equal fingerprints mean equal content."""

    @property
    def num_rows(self) -> int:
        """Rows in the shard, read from its footer."""

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata that the shard's maker put on its table's schema."""

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the shard, or just `columns` of it."""

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        """The Parquet file itself, for reading row group by row group. The caller closes it.

        Columns of `as_dictionary` are read as dictionary arrays: what repeats costs little.
        """


Shards = Mapping[str, LoadShard]


class ShardJob(Protocol):
    """Makes a shard: its table, or an iterator of tables of one schema that are stored one after the other.

    Metadata of their schemas is stored with the shard, where keys repeat the later table's; so what is known at the
    end can be told.
    """

    def __call__(self) -> pa.Table | Iterator[pa.Table]:
        """Make it."""


ShardJobs = dict[str, ShardJob]
PROVISIONAL_KEY = "provisional"
"""Metadata key, with any value, of a shard made while something outside was amiss, such as storage that did not
answer: it counts as made, and the next save makes it again."""


class Checkpoints(Protocol):
    """Where a long training keeps its state."""

    @property
    def path(self) -> str:
        """Where that is, to name it by."""

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and JSON-able state of the latest checkpoint that can be read; None before the first one."""

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], kept: int) -> None:
        """Store the checkpoint of a step, whole or not at all; then only the `kept` latest stay."""

    def clear(self) -> None:
        """Remove all checkpoints."""
