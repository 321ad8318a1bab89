"""An even draw of windows, the same each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from xmodal_kedro.storage import LoadShard

STEPS_PER_HALVING = 8
"""Shares that are drawn differ by a twelfth, so that a few more windows do not change which ones are drawn."""


def lot(uri: str, start_s: float, seed: int) -> float:
    """A number in 0..1 that a window draws, whatever the other windows are."""
    text = f"{seed} {round(1000 * start_s)} {uri}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48


def lots(windows: pa.Table, seed: int) -> list[float]:
    """What the rows of a table with `uri` and `start_s` draw."""
    rows = zip(windows["uri"].to_pylist(), windows["start_s"].to_pylist(), strict=True)
    return [lot(uri, start_s, seed) for uri, start_s in rows]


def share_of(shards: Iterable[LoadShard], seed: int, max_rows: int) -> float:
    """The largest share of windows that is not more than `max_rows`: those with lots below it are drawn."""
    drawn = [np.array(lots(shard(["uri", "start_s"]), seed)) for shard in shards]
    return _largest_share(np.concatenate([np.zeros(0), *drawn]), max_rows)


def _largest_share(lots_N: np.ndarray, max_rows: int) -> float:
    ordered_N = np.sort(lots_N)
    step = 0
    while np.searchsorted(ordered_N, share := 2 ** (-step / STEPS_PER_HALVING)) > max_rows:
        step += 1
    return float(share)
