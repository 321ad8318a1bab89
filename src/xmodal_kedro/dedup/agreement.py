"""How well the audio and the frames of two videos match at a time offset."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.dedup.audio_fingerprint import HOP_S
from xmodal_kedro.dedup.videos import VideoSignature
from xmodal_kedro.params import NearDuplicateParams

WORD_BITS = 32
MAX_FRAME_GAP_S = 1.0
"""Max time between two frames that are compared, seconds: encoders set keyframes at different instants."""
SEARCHED_HOPS = round(5 / HOP_S)
"""Hops on each side of a common position that are searched for the exact offset."""


class Agreement(NamedTuple):
    """How much two videos have in common.

    Attributes:
        matched_s: duration of the audio that matches, seconds.
        picture_distance: mean differing bits, of 64, of frames of the same time; None if there are none.
    """

    matched_s: float
    picture_distance: float | None


def agreement(
    one: VideoSignature, other: VideoSignature, around: int, offsets: range, params: NearDuplicateParams
) -> Agreement | None:
    """How much of one recording two videos have in common; None if they hold different ones.

    The audio decides, as networks are trained on audio: the same music with other frames matches too. Where it matches
    less well, as after encoding at very low bit rates, the frames must match as well.

    Args:
        one: a video.
        other: the video to compare it with.
        around: candidate position in `one` that both videos hold, in hops.
        offsets: by how many hops that position may be later in `other`.
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
    """The offset in hops with the most matching bits, beyond those expected by chance, near a position."""
    first, count = around - SEARCHED_HOPS, 2 * SEARCHED_HOPS
    words_N, present_N = _dense(one, first, count)
    words_M, present_M = _dense(other, first + offsets[0], count + len(offsets) - 1)
    words_ON = np.lib.stride_tricks.sliding_window_view(words_M, count)
    present_ON = np.lib.stride_tricks.sliding_window_view(present_M, count)
    good_ON = WORD_BITS // 2 - np.bitwise_count(words_ON ^ words_N).astype(np.int64)
    return offsets[int(np.argmax((good_ON * (present_ON & present_N)).sum(1)))]


def matching_words(errors: NDArray[np.uint8], min_words: int, limit: float) -> int:
    """Number of words inside any run of `min_words` words in which at most the fraction `limit` of the bits differs.

    Args:
        errors: uint8 [words], differing bits of each word.
    """
    if errors.size < min_words:
        return 0
    sums = np.concatenate([[0], np.cumsum(errors, dtype=np.int64)])
    good = sums[min_words:] - sums[:-min_words] <= limit * WORD_BITS * min_words
    edges = np.zeros(errors.size + 1, np.int64)
    edges[:-min_words] += good
    edges[min_words:] -= good
    return int((np.cumsum(edges) > 0).sum())


def picture_distance(one: VideoSignature, other: VideoSignature, offset_s: float) -> float | None:
    """Mean number of differing bits between frames of `one` and the nearest of `other`, `offset_s` later."""
    if not one.picture_hashes.size or not other.picture_hashes.size:
        return None
    wanted_s, times_s = one.picture_times_s + offset_s, other.picture_times_s
    right = np.minimum(np.searchsorted(times_s, wanted_s), times_s.size - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(wanted_s - times_s[left]) <= np.abs(wanted_s - times_s[right]), left, right)
    close = np.abs(wanted_s - times_s[nearest]) <= MAX_FRAME_GAP_S
    if not close.any():
        return None
    bits = np.bitwise_count(one.picture_hashes[close] ^ other.picture_hashes[nearest[close]])
    return float(bits.mean())


def _bit_errors(one: VideoSignature, other: VideoSignature, offset: int) -> NDArray[np.uint8]:
    """Differing bits of each word that both videos have, in order of time."""
    if not other.at.size:
        return np.empty(0, np.uint8)
    wanted = one.at + offset
    nearest = np.minimum(np.searchsorted(other.at, wanted), other.at.size - 1)
    both = other.at[nearest] == wanted
    return np.bitwise_count(one.words[both] ^ other.words[nearest[both]])


def _dense(video: VideoSignature, first: int, count: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The words of a stretch, one per hop, and which of them are present."""
    part = slice(*np.searchsorted(video.at, [first, first + count]))
    words, present = np.zeros(count, np.uint32), np.zeros(count, np.bool_)
    words[video.at[part] - first] = video.words[part]
    present[video.at[part] - first] = True
    return words, present
