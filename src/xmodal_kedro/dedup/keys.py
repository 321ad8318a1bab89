"""Keys under which videos are indexed, and checks that distinguish chance matches of keys from copies.

Two encodings of a recording share some words of audio exactly, and so do two of very many unrelated recordings. Each
key therefore carries a check, which has to match too, within some bits: for a word of audio the word half a second
later, for a part of a frame's hash all of it.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.dedup.audio_fingerprint import FLAT, HOP_S, probes
from xmodal_kedro.dedup.videos import VideosOfShard

PICTURE_BLOCKS = [np.uint64(shift) for shift in (0, 16, 32, 48)]
"""Frame hashes are looked up by every pair of their four blocks of 16 bits. They are found if the other two blocks hold
all errors (multi-index hashing: M. Norouzi, A. Punjani, D. J. Fleet, CVPR 2012)."""
CHECK_HOPS = 20
"""A word is checked by the one so many hops later. Its window and lag do not overlap those of the word itself."""
NO_CHECK = 0
"""The check of a word with no other one at that distance: it matches any."""
AUDIO_KEY = np.dtype([("key", "<u4"), ("video", "<u4"), ("place", "<i4"), ("check", "<u4")])
FRAME_KEY = np.dtype([("key", "<u4"), ("video", "<u4"), ("place", "<i4"), ("check", "<u8")])
"""A hash of a key; the video's number; the hop at which it has the key; the check."""
MAX_AUDIO_CHECK_BITS = 11
"""Two words of audio match if their checks differ by at most so many bits of 32. Those of unrelated recordings do in
6 % of all cases (20 million pairs of words of 3,700 real recordings), those of copies with a quarter of wrong bits in
92 %."""
MAX_FRAME_CHECK_BITS = 6
"""Two frames match if their hashes differ by at most so many bits of 64."""


class Sampling(NamedTuple):
    """Which of the audio's keys are indexed. It depends on the key alone, so that copies keep the same ones.

    Attributes:
        keep_one_in: `near_duplicates.keep_one_in`.
        rounds: in how many rounds the kept keys are indexed.
        round: this round, from 0.
    """

    keep_one_in: int
    rounds: int = 1
    round: int = 0


def audio_keys(shard: VideosOfShard, first_video: int, sampling: Sampling) -> NDArray[Any]:
    """Keys of the words of a shard's videos: rows of `AUDIO_KEY`, by video and place. A key may occur more than once.

    Args:
        first_video: the number of the shard's first video.
    """
    probes_N8 = probes(shard.words, shard.weak_bits)
    keys_N8 = _scatter(probes_N8)
    period = sampling.keep_one_in * sampling.rounds
    kept_N8 = (keys_N8 >> np.uint32(16)) % np.uint32(period) == sampling.keep_one_in * sampling.round
    kept_N8 &= probes_N8 != FLAT
    word_K = np.nonzero(kept_N8)[0]
    keys_K = np.empty(word_K.size, AUDIO_KEY)
    keys_K["key"] = keys_N8[kept_N8]
    keys_K["video"] = first_video + _owners(shard.word_starts)[word_K]
    keys_K["place"] = shard.at[word_K]
    keys_K["check"] = _checks(shard)[word_K]
    return keys_K


def frame_keys(shard: VideosOfShard, first_video: int) -> NDArray[Any]:
    """Keys of the frames of a shard's videos: rows of `FRAME_KEY`, six for a frame."""
    kinds = list(combinations(PICTURE_BLOCKS, 2))
    keys_PK = np.empty((shard.picture_hashes.size, len(kinds)), FRAME_KEY)
    block = np.uint64(0xFFFF)
    for kind, (one, other) in enumerate(kinds):
        both = ((shard.picture_hashes >> one) & block) << np.uint64(16) | ((shard.picture_hashes >> other) & block)
        keys_PK["key"][:, kind] = _scatter(both.astype(np.uint32)) ^ np.uint32(kind << 20)
    keys_PK["video"] = first_video + _owners(shard.frame_starts)[:, None]
    keys_PK["place"] = np.rint(shard.picture_times_s / HOP_S)[:, None]
    keys_PK["check"] = shard.picture_hashes[:, None]
    return keys_PK.ravel()


def _checks(shard: VideosOfShard) -> NDArray[np.uint32]:
    """The word `CHECK_HOPS` later in the same video, else the one as much earlier, else `NO_CHECK`: uint32 [words]."""
    if not shard.words.size:
        return shard.words
    beyond = int(shard.at.max()) + 2 * CHECK_HOPS + 1
    at_in_shard = _owners(shard.word_starts) * beyond + CHECK_HOPS + shard.at
    checks = np.full(shard.words.size, NO_CHECK, np.uint32)
    for distance in (-CHECK_HOPS, CHECK_HOPS):
        wanted = at_in_shard + distance
        nearest = np.minimum(np.searchsorted(at_in_shard, wanted), at_in_shard.size - 1)
        there = at_in_shard[nearest] == wanted
        checks[there] = shard.words[nearest[there]]
    return checks


def _owners(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place in the shard of the video that each value belongs to."""
    return np.repeat(np.arange(starts.size - 1), np.diff(starts))


def _scatter(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Hashes of keys, different ones of different keys, whose upper bits are distributed uniformly."""
    return keys * np.uint32(2_654_435_761)
