"""Groups of videos that hold one recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from scipy.cluster.hierarchy import DisjointSet

from xmodal_kedro.dedup.agreement import Agreement, VideoSignature, agreement, read_videos
from xmodal_kedro.dedup.candidates import find_candidates, video_keys
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.progress import watched
from xmodal_kedro.storage import Shards

SHARDS_HELD = 16
"""Shards of signatures kept in memory while pairs are compared, a few megabytes each."""
SHARD_SHIFT = 32
"""A video's number is its shard's index above this bit, and its index in the shard below."""


class Pair(NamedTuple):
    """Two videos that hold one recording."""

    one: str
    other: str
    agreement: Agreement


def find_near_duplicates(signatures: Shards, videos: pd.DataFrame, params: NearDuplicateParams) -> pd.DataFrame:
    """The videos that share a recording with another, in groups: rows of `NearDuplicates`, by group and video.

    Memory does not grow with the number of clips: it is `params.memory_mb` for DuckDB, a few shards of signatures, and
    the result. Temporary files are in the folder `TMPDIR`. They take 3 to 7 kB a clip, and about 30 kB a clip above ten
    million clips, as unrelated audio then has common keys.

    Args:
        signatures: shards of `Signatures`; all clips of a video are in one of them.
        videos: `Videos`, for their addresses.
        params: `near_duplicates`.
    """
    pairs = list(matching_pairs(signatures, params))
    group_of = groups((pair.one, pair.other) for pair in pairs)
    best: dict[str, Agreement] = {}
    for pair in pairs:
        for video_id in (pair.one, pair.other):
            if video_id not in best or pair.agreement.matched_s > best[video_id].matched_s:
                best[video_id] = pair.agreement
    rows = [(video_id, group_id, *best[video_id]) for video_id, group_id in group_of.items()]
    table = pd.DataFrame(rows, columns=["video_id", "group_id", "matched_s", "picture_distance"])
    table = table.astype({"video_id": str, "group_id": str, "matched_s": float, "picture_distance": float})
    table = table.merge(videos[["video_id", "uri"]].astype(str), on="video_id")
    return table.sort_values(["group_id", "video_id"], ignore_index=True)


def matching_pairs(signatures: Shards, params: NearDuplicateParams) -> Iterator[Pair]:
    """The candidate pairs that match, each with its best match, in order of their shards."""
    keys = sorted(signatures)

    @lru_cache(SHARDS_HELD)
    def shard(index: int) -> list[VideoSignature]:
        return read_videos(signatures[keys[index]]())

    def video(number: int) -> VideoSignature:
        return shard(number >> SHARD_SHIFT)[number & ((1 << SHARD_SHIFT) - 1)]

    def all_keys() -> Iterator[pa.RecordBatch]:
        for index in watched(range(len(keys)), "near-duplicates", total=len(keys), unit="shards"):
            for place, signature in enumerate(shard(index)):
                yield video_keys(signature, (index << SHARD_SHIFT) + place, params)

    with TemporaryDirectory(prefix="near-duplicates-") as folder:
        candidates = find_candidates(all_keys(), Path(folder), params)
        for (one, other), places in groupby(candidates, key=lambda candidate: (candidate.a, candidate.b)):
            pair = video(one), video(other)
            results = (agreement(*pair, place.around, place.offsets, params) for place in places)
            matches = [match for match in results if match is not None]
            if matches:
                yield Pair(pair[0].video_id, pair[1].video_id, max(matches, key=lambda match: match.matched_s))


def groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The smallest member of the group of every item that occurs in a pair, groups being joined by pairs."""
    joined: DisjointSet = DisjointSet()
    for one, other in pairs:
        joined.add(one)
        joined.add(other)
        joined.merge(one, other)
    return {item: min(group) for group in joined.subsets() for item in group}
