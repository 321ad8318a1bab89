"""How far two videos agree in sound and pictures when one is moved in time against the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.dedup.audio_fingerprint import FLAT, HOP_S
from xmodal_kedro.params import NearDuplicateParams

WORD_BITS = 32
PICTURES_APART_S = 1.0
"""Pictures are compared with the nearest of the other video's, if it is no further than this: encoders set keyframes
at different instants."""
SEARCHED_HOPS = round(5 / HOP_S)
"""Sound to either side of a place in common that is looked at to find the exact offset."""


class VideoSignature(NamedTuple):
    """The signatures of all clips of one video.

    Attributes:
        video_id: the video.
        at: int64 [words], when each word is, in hops since the start of the video, rising.
        words: uint32 [words], none of them flat.
        weak_bits: uint16 [words]; see `audio_fingerprint.Fingerprint`.
        picture_times_s: float64 [pictures], rising.
        picture_hashes: uint64 [pictures]
    """

    video_id: str
    at: NDArray[np.int64]
    words: NDArray[np.uint32]
    weak_bits: NDArray[np.uint16]
    picture_times_s: NDArray[np.float64]
    picture_hashes: NDArray[np.uint64]


class Agreement(NamedTuple):
    """What two videos have in common.

    Attributes:
        matched_s: seconds of sound that agree.
        picture_distance: mean bits, of 64, by which pictures of the same time differ; None where there are none.
    """

    matched_s: float
    picture_distance: float | None


def read_videos(signatures: pa.Table) -> list[VideoSignature]:
    """The videos of a shard of signatures, in the order of their first clips."""
    rows = signatures["video_id"].combine_chunks().dictionary_encode()
    owners = rows.indices.to_numpy()
    return [
        _video(str(video_id), signatures.take(np.flatnonzero(owners == owner)).sort_by("first_word"))
        for owner, video_id in enumerate(rows.dictionary.to_pylist())
    ]


def agreement(
    one: VideoSignature, other: VideoSignature, around: int, offsets: range, params: NearDuplicateParams
) -> Agreement | None:
    """Whether two videos hold one recording, and how much of it; None if they do not.

    Sound decides, for sound is what a network learns from: the same music under other pictures agrees too. Where it
    agrees less, as after very low bit rates, pictures must agree as well.

    Args:
        one: a video.
        other: the video to compare it with.
        around: a place in `one` that both are thought to hold, in hops.
        offsets: by how many hops it may lie later in `other`.
        params: `near_duplicates`.
    """
    offset = best_offset(one, other, around, offsets)
    errors = _bit_errors(one, other, offset)
    distance = picture_distance(one, other, offset * HOP_S)
    seen_alike = distance is not None and distance <= params.max_picture_distance
    limit = params.max_bit_errors_if_seen_alike if seen_alike else params.max_bit_errors
    matched = matching_words(errors, round(params.min_match_s / HOP_S), limit)
    if not matched or matched < params.min_share * min(one.at.size, other.at.size):
        return None
    return Agreement(matched * HOP_S, distance)


def best_offset(one: VideoSignature, other: VideoSignature, around: int, offsets: range) -> int:
    """The offset in hops at which the most bits agree near a place, counted from what chance would give."""
    first, count = around - SEARCHED_HOPS, 2 * SEARCHED_HOPS
    words_N, heard_N = _dense(one, first, count)
    words_M, heard_M = _dense(other, first + offsets[0], count + len(offsets) - 1)
    words_ON = np.lib.stride_tricks.sliding_window_view(words_M, count)
    heard_ON = np.lib.stride_tricks.sliding_window_view(heard_M, count)
    good_ON = WORD_BITS // 2 - np.bitwise_count(words_ON ^ words_N).astype(np.int64)
    return offsets[int(np.argmax((good_ON * (heard_ON & heard_N)).sum(1)))]


def matching_words(errors: NDArray[np.uint8], least: int, limit: float) -> int:
    """How many words lie in some run of `least` words of which at most the share `limit` of bits is wrong.

    Args:
        errors: uint8 [words], wrong bits of each.
    """
    if errors.size < least:
        return 0
    sums = np.concatenate([[0], np.cumsum(errors, dtype=np.int64)])
    good = sums[least:] - sums[:-least] <= limit * WORD_BITS * least
    edges = np.zeros(errors.size + 1, np.int64)
    edges[:-least] += good
    edges[least:] -= good
    return int((np.cumsum(edges) > 0).sum())


def picture_distance(one: VideoSignature, other: VideoSignature, offset_s: float) -> float | None:
    """Mean bits by which the pictures of `one` differ from those of `other` that are `offset_s` later."""
    if not one.picture_hashes.size or not other.picture_hashes.size:
        return None
    apart_s = np.abs(one.picture_times_s[:, None] + offset_s - other.picture_times_s)
    nearest = apart_s.argmin(1)
    close = apart_s.min(1) <= PICTURES_APART_S
    if not close.any():
        return None
    bits = np.bitwise_count(one.picture_hashes[close] ^ other.picture_hashes[nearest[close]])
    return float(bits.mean())


def _bit_errors(one: VideoSignature, other: VideoSignature, offset: int) -> NDArray[np.uint8]:
    """Wrong bits of each word that both videos have, in order of time."""
    if not other.at.size:
        return np.empty(0, np.uint8)
    wanted = one.at + offset
    found = np.minimum(np.searchsorted(other.at, wanted), other.at.size - 1)
    both = other.at[found] == wanted
    return np.bitwise_count(one.words[both] ^ other.words[found[both]])


def _dense(video: VideoSignature, first: int, count: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The words of a stretch, one a hop, and which of them there are."""
    part = slice(*np.searchsorted(video.at, [first, first + count]))
    words, heard = np.zeros(count, np.uint32), np.zeros(count, np.bool_)
    words[video.at[part] - first] = video.words[part]
    heard[video.at[part] - first] = True
    return words, heard


def _video(video_id: str, clips: pa.Table) -> VideoSignature:
    counts = clips["words"].combine_chunks().value_lengths().to_numpy()
    starts = np.cumsum(counts) - counts
    words, weak_bits, times_s, hashes = (
        clips[name].combine_chunks().flatten().to_numpy()
        for name in ("words", "weak_bits", "picture_times_s", "picture_hashes")
    )
    at = np.arange(words.size) + np.repeat(clips["first_word"].to_numpy() - starts, counts)
    heard = words != FLAT
    return VideoSignature(video_id, at[heard], words[heard], weak_bits[heard], times_s, hashes)
