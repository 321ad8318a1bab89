"""Reading a few rows of a shard."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.storage.shards import LoadShard


def rows_of(shard: LoadShard, clip_ids: Collection[str], columns: Sequence[str]) -> pa.Table:
    """The rows of some clips; of other row groups than theirs, nothing but `clip_id` is read."""
    wanted = pa.array(sorted(clip_ids), pa.string())
    with shard.open() as parquet:
        found = [parquet.schema_arrow.empty_table().select(columns)]
        for group in range(parquet.num_row_groups):
            mask = pc.is_in(parquet.read_row_group(group, columns=["clip_id"])["clip_id"], value_set=wanted)
            if pc.any(mask).as_py():
                found.append(parquet.read_row_group(group, columns=list(columns)).select(columns).filter(mask))
    return pa.concat_tables(found)
