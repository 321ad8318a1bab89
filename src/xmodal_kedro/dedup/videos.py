"""The signatures of a shard, by video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.dedup.audio_fingerprint import FLAT
from xmodal_kedro.storage import LoadShard

COLUMNS = ("video_id", "first_word", "words", "weak_bits", "picture_times_s", "picture_hashes")


class VideoSignature(NamedTuple):
    """The signatures of all clips of one video.

    Attributes:
        at: int64 [words], time of each word, in hops since the start of the video, ascending.
        words: uint32 [words], without flat ones.
        picture_times_s: float64 [frames], ascending.
        picture_hashes: uint64 [frames]
    """

    at: NDArray[np.int64]
    words: NDArray[np.uint32]
    picture_times_s: NDArray[np.float64]
    picture_hashes: NDArray[np.uint64]


@dataclass(frozen=True)
class VideosOfShard:
    """The signatures of all videos of one shard, one video after the other.

    Attributes:
        video_ids: in the order of their first clips.
        word_starts: int64 [videos + 1], where the words of each video begin and the last ones end.
        at, words: as those of `VideoSignature`, of all videos.
        weak_bits: uint16 [words]; see `audio_fingerprint.Fingerprint`.
        frame_starts: int64 [videos + 1], where the frames of each video begin and the last ones end.
        picture_times_s, picture_hashes: as those of `VideoSignature`, of all videos.
    """

    video_ids: list[str]
    word_starts: NDArray[np.int64]
    at: NDArray[np.int64]
    words: NDArray[np.uint32]
    weak_bits: NDArray[np.uint16]
    frame_starts: NDArray[np.int64]
    picture_times_s: NDArray[np.float64]
    picture_hashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.video_ids)

    def video(self, place: int) -> VideoSignature:
        """The signature of one video."""
        words = slice(*self.word_starts[place : place + 2])
        frames = slice(*self.frame_starts[place : place + 2])
        return VideoSignature(
            self.at[words], self.words[words], self.picture_times_s[frames], self.picture_hashes[frames]
        )


def load_videos(shard: LoadShard) -> VideosOfShard:
    """The videos of a stored shard of `Signatures`."""
    return videos_of(shard(COLUMNS))


def videos_of(signatures: pa.Table) -> VideosOfShard:
    """The videos of a shard.

    Args:
        signatures: a table with the columns `COLUMNS` of `Signatures`; all clips of a video are in it.
    """
    owners = signatures["video_id"].combine_chunks().dictionary_encode()
    owner_C = owners.indices.to_numpy()
    first_word_C = signatures["first_word"].to_numpy()
    order_C = np.lexsort((first_word_C, owner_C))
    counts_C, words, weak_bits = _in_order(signatures, order_C, "words", "weak_bits")
    frames_C, times_s, hashes = _in_order(signatures, order_C, "picture_times_s", "picture_hashes")
    hops = np.arange(words.size) + np.repeat(first_word_C[order_C] - (np.cumsum(counts_C) - counts_C), counts_C)
    present = words != FLAT
    owner_of_word = np.repeat(owner_C[order_C], counts_C)[present]
    owner_of_frame = np.repeat(owner_C[order_C], frames_C)
    edges = np.arange(len(owners.dictionary) + 1)
    return VideosOfShard(
        [str(video_id) for video_id in owners.dictionary.to_pylist()],
        np.searchsorted(owner_of_word, edges),
        hops[present],
        words[present],
        weak_bits[present],
        np.searchsorted(owner_of_frame, edges),
        times_s,
        hashes,
    )


def _in_order(signatures: pa.Table, order_C: NDArray[np.int64], *columns: str) -> list[NDArray[Any]]:
    """The number of values of each clip, and the values of list columns of equal lengths, clips being in that order."""
    lists = [signatures[column].combine_chunks() for column in columns]
    counts_C = lists[0].value_lengths().to_numpy()
    starts_C = np.cumsum(counts_C) - counts_C
    counts_C, starts_C = counts_C[order_C], starts_C[order_C]
    places = np.arange(counts_C.sum()) + np.repeat(starts_C - (np.cumsum(counts_C) - counts_C), counts_C)
    return [counts_C, *(values.flatten().to_numpy()[places] for values in lists)]
