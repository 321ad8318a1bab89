"""Groups of videos that hold one recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from xmodal_kedro.dedup.agreement import Agreement
from xmodal_kedro.dedup.candidates import Keys, find_candidates
from xmodal_kedro.dedup.keys import FRAME_KEY, Sampling, audio_keys, frame_keys
from xmodal_kedro.dedup.pairs import NumberedShards, Pair, matching_pairs
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.progress import watched
from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.fetching import folder_for_copy


def find_near_duplicates(signatures: Shards, videos: pd.DataFrame, params: NearDuplicateParams) -> pd.DataFrame:
    """The videos that share a recording with another, in groups: rows of `NearDuplicates`, by group and video.

    Memory is a shard of signatures, some 30 MB of buffers, a part of the index of at most `params.memory_mb`, and what
    is found; videos that all have one key take some 140 bytes each. Temporary files are in the folder `TMPDIR`.

    Args:
        signatures: shards of `Signatures`; all clips of a video are in one of them.
        videos: `Videos`, for their addresses.
        params: `near_duplicates`.
    """
    pairs = list(copies(signatures, params))
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


def copies(signatures: Shards, params: NearDuplicateParams) -> Iterator[Pair]:
    """The pairs of videos that hold one recording, in order of their shards."""
    shards = NumberedShards([signatures[key] for key in sorted(signatures)])

    def keys_of_round(number: int) -> Iterator[Keys]:
        sampling = Sampling(params.keep_one_in, params.rounds, number)
        description = f"near-duplicates, round {number + 1} of {params.rounds}"
        for index in watched(range(len(shards)), description, total=len(shards), unit="shards"):
            first, videos = shards.load(index)
            frames = frame_keys(videos, first) if number == 0 else np.empty(0, FRAME_KEY)
            yield Keys(audio_keys(videos, first, sampling), frames)

    with folder_for_copy() as folder:
        candidates = find_candidates(keys_of_round, params.rounds, folder, params)
        yield from matching_pairs(shards, candidates, folder, params)


def groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The smallest member of the group of every item that occurs in a pair, groups being joined by pairs."""
    joined: DisjointSet = DisjointSet()
    for one, other in pairs:
        joined.add(one)
        joined.add(other)
        joined.merge(one, other)
    return {item: min(group) for group in joined.subsets() for item in group}
