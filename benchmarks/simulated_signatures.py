"""Signatures of very many simulated videos, made when they are read. One in sixteen is a copy of another.

Real signatures (3,700 recordings of city sounds, of ESC-50 and of videos) say how words are drawn: two of unrelated
recordings are equal four times as often as uniform ones are, and a word stays for some hops. A copy begins at another
instant, and 6 % of its bits are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.schemas import SIGNATURES_ARROW
from xmodal_kedro.storage import LoadShard, Shards

VIDEOS, CLIPS, WORDS, HOPS, FRAMES = 128, 4, 147, 167, 2
"""Videos of a shard, clips of a video; words, hops and frames of a clip."""
COPY_EVERY = 16
MAX_TRIMMED_HOPS = 100
HOPS_A_WORD = 3
WRONG_BITS = 0.06
BIASED_BITS = np.uint32(0x00FFFFFF)
"""These bits are set in 5 of 8 words, so that two words are equal 1.0625 ** 24 = 4.3 times as often."""


@dataclass(frozen=True)
class SimulatedShard:
    """A shard of unrelated videos, except for copies."""

    index: int

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        rng = np.random.default_rng(self.index)
        videos = np.arange(self.index * VIDEOS, (self.index + 1) * VIDEOS)
        original, trimmed = copied_from(videos)
        hops = np.arange(CLIPS)[:, None] * HOPS + np.arange(WORDS)
        words = words_of(original[:, None, None], hops + trimmed[:, None, None])
        copy = original != videos
        wrong = np.packbits(rng.random((*words[copy].shape, 32)) < WRONG_BITS, axis=-1).view(">u4")[..., 0]
        words[copy] ^= wrong.astype(np.uint32)
        weak_bits = rng.integers(0, 2**15, words.size, np.uint16)
        hashes = _mixed(original[:, None] * 64 + np.arange(CLIPS * FRAMES))
        first_hop = np.tile(np.arange(CLIPS) * HOPS, VIDEOS)
        times_s = first_hop[:, None] * 0.024 + [0.5, 2.5] - np.repeat(trimmed * 0.024, CLIPS)[:, None]
        word_edges, frame_edges = (
            pa.array(np.arange(VIDEOS * CLIPS + 1) * size, pa.int32()) for size in (WORDS, FRAMES)
        )
        table = pa.Table.from_arrays(
            [
                pa.array([f"{self.index}-{clip}" for clip in range(VIDEOS * CLIPS)]),
                pa.array(np.repeat([video_id_of(video) for video in videos.tolist()], CLIPS)),
                pa.array(first_hop),
                pa.ListArray.from_arrays(word_edges, pa.array(words.ravel())),
                pa.ListArray.from_arrays(word_edges, pa.array(weak_bits)),
                pa.ListArray.from_arrays(frame_edges, pa.array(times_s.ravel())),
                pa.ListArray.from_arrays(frame_edges, pa.array(hashes.ravel())),
            ],
            schema=SIGNATURES_ARROW,
        )
        return table if columns is None else table.select(list(columns))


def simulated(shards: int) -> tuple[Shards, pd.DataFrame]:
    """So many shards, and their table of videos."""
    count = shards * VIDEOS
    videos = pd.DataFrame({"video_id": map(video_id_of, range(count)), "uri": map(str, range(count))})
    return {f"shard-{index:06d}": cast("LoadShard", SimulatedShard(index)) for index in range(shards)}, videos


def copied_from(videos: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The video that each is a copy of, itself if none, anywhere before it; and the hops by which it begins later."""
    copy = videos % COPY_EVERY == 1
    drawn = _mixed(videos)
    earlier = (drawn % (videos // COPY_EVERY + 1).astype(np.uint64)).astype(np.int64) * COPY_EVERY
    trimmed = (drawn >> np.uint64(40)).astype(np.int64) % MAX_TRIMMED_HOPS
    return np.where(copy, earlier, videos), np.where(copy, trimmed, 0)


def words_of(original: NDArray[np.int64], hop: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The words of recordings at these hops, which are broadcast."""
    drawn = _mixed(original * 1024 + hop // HOPS_A_WORD + 2**50)
    high, low = (drawn >> np.uint64(32)).astype(np.uint32), drawn.astype(np.uint32)
    return high | (low & _mixed(drawn).astype(np.uint32) & BIASED_BITS)


def video_id_of(number: int) -> str:
    """The `video_id` of a simulated video."""
    return f"{number:032x}"


def _mixed(values: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Random numbers, one for each different value: splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""
    mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
