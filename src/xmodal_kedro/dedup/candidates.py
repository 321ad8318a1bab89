"""Candidate pairs of videos that may hold one recording: an out-of-core search for common keys.

Keys are sorted, and votes counted, one part at a time, as neither fits in memory. The work grows with the number of
keys, not with its square, even if a key is frequent: videos that share a key are paired only with the next few. A
recording that a thousand videos hold becomes a chain of pairs, not a million pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.dedup.audio_fingerprint import HOP_S
from xmodal_kedro.dedup.keys import (
    AUDIO_KEY,
    FRAME_KEY,
    MAX_AUDIO_CHECK_BITS,
    MAX_FRAME_CHECK_BITS,
    NO_CHECK,
)
from xmodal_kedro.dedup.spill import PARTITIONS, Spill
from xmodal_kedro.params import NearDuplicateParams

BIN_HOPS = 4
"""Votes for an offset are counted in bins of twice this width, about 0.2 s, that overlap by half."""
MAX_FRAME_ERROR_HOPS = round(4 / HOP_S)
"""Max error of a frame's time: a frame that two encodings share may be shown for seconds."""
MIN_AUDIO_VOTES = 2
MAX_OFFSETS = 3
"""Offsets of a pair that are tried, those with the most votes."""
MAX_STEPS = 128
"""Videos with a key that are looked at after one that has it. At 50 million clips, 60 have it by chance."""
PARTITION_SHIFT = np.uint32(24)
"""Keys are in one of `PARTITIONS` by their upper bits."""
VOTE = np.dtype([("a", "<u4"), ("b", "<u4"), ("place", "<i4"), ("bin", "<i4"), ("heard", "?")])
"""Numbers of two videos, `a` the smaller; the hop at which `a` has their common key; the bin of the offset from there
to its place in `b`; whether the key is one of audio."""


class Keys(NamedTuple):
    """Keys of some videos.

    Attributes:
        audio: rows of `AUDIO_KEY`.
        frames: rows of `FRAME_KEY`.
    """

    audio: NDArray[Any]
    frames: NDArray[Any]


class CandidatePair(NamedTuple):
    """A pair of videos to compare, as numbers, and the position and offsets: see `agreement.agreement`."""

    a: int
    b: int
    around: int
    offsets: range


def find_candidates(
    keys_of_round: Callable[[int], Iterable[Keys]], rounds: int, folder: Path, params: NearDuplicateParams
) -> NDArray[Any]:
    """Pairs of videos with two common words of audio at one offset, or a common frame.

    Args:
        keys_of_round: the keys to index in a round, videos being in order of their numbers. The keys of a round are not
            those of another, and the temporary files hold those of one round at a time.
        rounds: number of rounds.
        folder: a folder for temporary files.
        params: `near_duplicates`; `memory_mb` limits the memory for a part of the keys or votes. All rows of one key
            are in one part, some 140 bytes each.

    Returns:
        Rows of `VOTE`, in order of the pair's numbers, the one with the most votes first.
    """
    memory_bytes = params.memory_mb * 1_000_000
    votes = Spill(folder, "votes", VOTE)
    for number in range(rounds):
        heard, seen = (Spill(folder, f"{name}-{number}", dtype) for name, dtype in KINDS)
        for keys in keys_of_round(number):
            heard.add(keys.audio, (keys.audio["key"] >> PARTITION_SHIFT).astype(np.uint8))
            seen.add(keys.frames, (keys.frames["key"] >> PARTITION_SHIFT).astype(np.uint8))
        for partition in range(PARTITIONS):
            for kind in (heard, seen):
                for rows in kind.rows(partition, memory_bytes, split_by="key"):
                    for found in _votes(rows, params.neighbours):
                        # By the last bits of `a`: numbers are consecutive, so partitions are of one size.
                        votes.add(found, (found["a"] % PARTITIONS).astype(np.uint8))
                kind.discard(partition)
    best = [np.empty(0, VOTE)]
    for partition in range(PARTITIONS):
        best.extend(_best(rows) for rows in votes.rows(partition, memory_bytes, split_by="b"))
        votes.discard(partition)
    return _by_pair(np.concatenate(best))


def candidate_of(vote: np.void) -> CandidatePair:
    """What to compare for a row of `find_candidates`."""
    first = (int(vote["bin"]) - 1) * BIN_HOPS
    slack = 0 if vote["heard"] else MAX_FRAME_ERROR_HOPS
    offsets = range(first - slack, first + 2 * BIN_HOPS + slack)
    return CandidatePair(int(vote["a"]), int(vote["b"]), int(vote["place"]), offsets)


KINDS = (("audio", AUDIO_KEY), ("frames", FRAME_KEY))


def _votes(rows: NDArray[Any], neighbours: int) -> Iterator[NDArray[Any]]:
    """A vote for the offset between each video's first occurrence of a key and those of the next `neighbours` videos.

    Only videos whose checks match are counted, among the next `MAX_STEPS` that have the key.

    Args:
        rows: of `AUDIO_KEY` or `FRAME_KEY`, in order of video and place; all those with their keys.

    Yields:
        Rows of `VOTE`, for one distance between neighbours at a time.
    """
    heard = rows.dtype == AUDIO_KEY
    # A sort of plain integers, key and place together, takes a tenth of the time of a sort by one field.
    packed = rows["key"].astype(np.uint64) << np.uint64(32) | np.arange(rows.size, dtype=np.uint64)
    packed.sort()
    rows = rows[packed & np.uint64(0xFFFFFFFF)]
    again = (rows["key"][1:] == rows["key"][:-1]) & (rows["video"][1:] == rows["video"][:-1])
    rows = rows[np.concatenate([np.ones(min(rows.size, 1), np.bool_), ~again])]
    key, check = rows["key"].copy(), rows["check"].copy()
    limit = MAX_AUDIO_CHECK_BITS if heard else MAX_FRAME_CHECK_BITS
    paired = np.zeros(rows.size, np.int32)
    earlier = np.arange(rows.size, dtype=np.int32)
    for step in range(1, MAX_STEPS + 1):
        earlier = earlier[earlier < rows.size - step]
        earlier = earlier[(key[earlier] == key[earlier + step]) & (paired[earlier] < neighbours)]
        if not earlier.size:
            return
        one, other = check[earlier], check[earlier + step]
        # Those whose checks fail match by chance. There may be many, and they must not take the places of copies.
        alike = (np.bitwise_count(one ^ other) <= limit) | (one == NO_CHECK) | (other == NO_CHECK)
        first = earlier[alike]
        paired[first] += 1
        later = first + step
        found = np.empty(first.size, VOTE)
        found["a"], found["b"] = rows["video"][first], rows["video"][later]
        found["place"] = rows["place"][first]
        found["bin"] = (rows["place"][later] - rows["place"][first]) // BIN_HOPS
        found["heard"] = heard
        yield found


def _best(votes: NDArray[Any]) -> NDArray[Any]:
    """The votes to follow: of audio one for each offset of a pair that has enough, of frames the earliest of a pair.

    Args:
        votes: rows of `VOTE`, all those of their pairs.
    """
    heard = votes[votes["heard"]]
    heard = np.concatenate([heard, heard])
    heard["bin"][heard.size // 2 :] += 1  # bins overlap by half
    heard = heard[np.lexsort((heard["place"], heard["bin"], heard["b"], heard["a"]))]
    heard = heard[_begins(heard, "a", "b", "bin", "place")]
    begins = np.flatnonzero(_begins(heard, "a", "b", "bin"))
    counts = np.diff(np.append(begins, heard.size))
    heard, counts = heard[begins[counts >= MIN_AUDIO_VOTES]], counts[counts >= MIN_AUDIO_VOTES]
    order = np.lexsort((heard["bin"], -counts, heard["b"], heard["a"]))
    heard = heard[order]
    pair_begins = _begins(heard, "a", "b")
    rank = np.arange(heard.size) - np.maximum.accumulate(np.where(pair_begins, np.arange(heard.size), 0))
    heard = heard[rank < MAX_OFFSETS]
    seen = votes[~votes["heard"]]
    seen = seen[np.lexsort((seen["bin"], seen["place"], seen["b"], seen["a"]))]
    seen = seen[_begins(seen, "a", "b")]
    return _by_pair(np.concatenate([heard, seen]))


def _by_pair(votes: NDArray[Any]) -> NDArray[Any]:
    """Votes in order of their pairs, those of audio first, else in the order in which they are."""
    return votes[np.lexsort((~votes["heard"], votes["b"], votes["a"]))]


def _begins(rows: NDArray[Any], *fields: str) -> NDArray[np.bool_]:
    """Where a row differs from the one before in any of the fields."""
    begins = np.zeros(rows.size, np.bool_)
    begins[:1] = True
    for field in fields:
        begins[1:] |= rows[field][1:] != rows[field][:-1]
    return begins
