"""Which videos hold the same recording as some other sounds, such as a benchmark's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.dedup.agreement import VideoSignature, agreement, read_videos
from xmodal_kedro.dedup.candidates import find_candidates, video_keys
from xmodal_kedro.dedup.groups import SHARD_SHIFT, Pair
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.storage import Shards

THOROUGH = {"keep_one_in": 1, "neighbours": 16}
"""Instead of `near_duplicates`' own: a corpus is looked through for a few sounds, which costs little."""
SURE = {"min_share": 0.5, "max_bit_errors": 0.3, "max_bit_errors_if_seen_alike": 0.3}
"""What two hold in common must be most of the shorter one, and agree better: two alarms or metronomes agree for two
seconds by chance."""


def overlapping_pairs(signatures: Shards, others: Shards, params: NearDuplicateParams) -> Iterator[Pair]:
    """Each pair of a video and another sound that hold one recording, with how much of it.

    Of the videos, only keys that some other sound has are looked at, so the work is one pass over their signatures.

    Args:
        signatures: `Signatures` of videos.
        others: `Signatures` of other sounds, few enough for memory.
        params: `near_duplicates`, for the length of sound that must agree, and DuckDB's memory.
    """
    params = params.model_copy(update=THOROUGH | SURE)
    keys = sorted(signatures)
    sounds = [sound for shard in others.values() for sound in read_videos(shard())]
    first_other = len(keys) << SHARD_SHIFT
    wanted = [video_keys(sound, first_other + number, params) for number, sound in enumerate(sounds)]
    looked_for = np.unique(np.concatenate([np.zeros(0, np.uint64), *(batch["key"].to_numpy() for batch in wanted)]))
    held: dict[int, VideoSignature] = {}

    def all_keys() -> Iterator[pa.RecordBatch]:
        for index, key in enumerate(keys):
            for place, video in enumerate(read_videos(signatures[key]())):
                number = (index << SHARD_SHIFT) + place
                found = video_keys(video, number, params)
                found = found.filter(pa.array(_among(found["key"].to_numpy(), looked_for)))
                if found.num_rows:
                    held[number] = video
                    yield found
        yield from wanted

    with TemporaryDirectory(prefix="overlap-") as folder:
        candidates = find_candidates(all_keys(), Path(folder), params)
        for (one, other), places in groupby(candidates, key=lambda candidate: (candidate.a, candidate.b)):
            if one >= first_other or other < first_other:
                continue
            pair = held[one], sounds[other - first_other]
            tried = (agreement(*pair, place.around, place.offsets, params) for place in places)
            found = [match for match in tried if match is not None]
            if found:
                yield Pair(pair[0].video_id, pair[1].video_id, max(found, key=lambda match: match.matched_s))


def _among(values: NDArray[np.uint64], rising: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are among others that rise: `numpy.isin`, which would sort them anew each time."""
    if not rising.size:
        return np.zeros(values.size, np.bool_)
    found: NDArray[np.bool_] = rising[np.minimum(np.searchsorted(rising, values), rising.size - 1)] == values
    return found
