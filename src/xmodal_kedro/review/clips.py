"""Clips by their ids, wherever they are."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.rows import rows_of

COLUMNS = ("clip_id", "video_id", "start_s", "end_s")


def find_clips(clips: Shards, clip_ids: Collection[str]) -> pd.DataFrame:
    """Columns `clip_id`, `shard`, `video_id`, `start_s`, `end_s` of those clips that are there, in the order of ids.

    Of each shard, nothing but the ids is read, unless it holds one of them.
    """
    wanted = pa.array(sorted(set(clip_ids)), pa.string())
    found = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _KINDS.items()})]
    for key in sorted(clips) if len(wanted) else ():
        held = clips[key](columns=["clip_id"])["clip_id"]
        held = held.filter(pc.is_in(held, value_set=wanted)).to_pylist()
        if held:
            found.append(rows_of(clips[key], held, COLUMNS).to_pandas().assign(shard=key)[list(_KINDS)])
    return pd.concat(found).astype(_KINDS).sort_values("clip_id", ignore_index=True)


_KINDS = {"clip_id": "str", "shard": "str", "video_id": "str", "start_s": "float64", "end_s": "float64"}
