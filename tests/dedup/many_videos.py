"""Signatures of very many videos, made lazily. As a program, it prints the memory that the search takes."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from xmodal_kedro.dedup.groups import find_near_duplicates
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.schemas import SIGNATURES_ARROW

VIDEOS_A_SHARD, CLIPS_A_VIDEO, WORDS_A_CLIP, HOPS_A_CLIP, PICTURES = 128, 4, 147, 167, 2
COPY_EVERY = 16
"""One in so many videos is a copy of the one before, with 6 % wrong bits."""


@dataclass(frozen=True)
class CrowdShard:
    """A shard of unrelated videos, except for copies."""

    index: int

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        rng = np.random.default_rng(self.index)
        clips = VIDEOS_A_SHARD * CLIPS_A_VIDEO
        words = rng.integers(1, 2**32, (VIDEOS_A_SHARD, CLIPS_A_VIDEO * WORDS_A_CLIP // 3), np.uint32).repeat(3, 1)
        hashes = rng.integers(2**40, 2**64, (VIDEOS_A_SHARD, CLIPS_A_VIDEO * PICTURES), np.uint64)
        words[1::COPY_EVERY], hashes[1::COPY_EVERY] = words[::COPY_EVERY], hashes[::COPY_EVERY]
        wrong = np.packbits(rng.random((*words[1::COPY_EVERY].shape, 32)) < 0.06, axis=-1).view(">u4")[..., 0]
        words[1::COPY_EVERY] ^= wrong.astype(np.uint32)
        weak = rng.integers(0, 2**15, words.size, np.uint16)
        video_ids = [video_id_of(self.index * VIDEOS_A_SHARD + video) for video in range(VIDEOS_A_SHARD)]
        clip_number = np.tile(np.arange(CLIPS_A_VIDEO), VIDEOS_A_SHARD)
        times_s = (clip_number[:, None] * 4.0 + [0.5, 2.5]).ravel()
        each_clip = [pa.array(np.arange(clips + 1) * size, pa.int32()) for size in (WORDS_A_CLIP, PICTURES)]
        return pa.Table.from_arrays(
            [
                pa.array([f"{self.index}-{clip}" for clip in range(clips)]),
                pa.array(np.repeat(video_ids, CLIPS_A_VIDEO)),
                pa.array(clip_number * HOPS_A_CLIP),
                pa.ListArray.from_arrays(each_clip[0], pa.array(words.ravel())),
                pa.ListArray.from_arrays(each_clip[0], pa.array(weak)),
                pa.ListArray.from_arrays(each_clip[1], pa.array(times_s)),
                pa.ListArray.from_arrays(each_clip[1], pa.array(hashes.ravel())),
            ],
            schema=SIGNATURES_ARROW,
        )


def video_id_of(number: int) -> str:
    return f"{number:032x}"


def peak_mb() -> int:
    """Peak memory of this process, megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(shards: int, memory_mb: int) -> None:
    """Search a crowd and print what was found, the peak of memory and the time, as JSON."""
    count = shards * VIDEOS_A_SHARD
    videos = pd.DataFrame({"video_id": map(video_id_of, range(count)), "uri": map(str, range(count))})
    before_mb = peak_mb()
    crowd = {f"shard-{index:06d}": CrowdShard(index) for index in range(shards)}
    found = find_near_duplicates(crowd, videos, NearDuplicateParams(memory_mb=memory_mb))
    print(
        json.dumps(
            {
                "clips": count * CLIPS_A_VIDEO,
                "copies": count // COPY_EVERY,
                "groups": int(found["group_id"].nunique()),
                "videos_in_groups": len(found),
                "before_mb": before_mb,
                "peak_mb": peak_mb(),
                "cpu_s": round(time.process_time(), 1),
            }
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
