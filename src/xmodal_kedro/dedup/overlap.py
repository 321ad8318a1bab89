"""Which videos hold the same recording as other audio clips, such as a benchmark's."""

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
"""Replace values of `near_duplicates`: searching a corpus for a few clips costs little."""
SURE = {"min_share": 0.5, "max_bit_errors": 0.3, "max_bit_errors_if_seen_alike": 0.3}
"""Stricter values of `near_duplicates`: two alarms or metronomes match over two seconds by chance."""


def overlapping_pairs(signatures: Shards, others: Shards, params: NearDuplicateParams) -> Iterator[Pair]:
    """Each pair of a video and another clip that hold one recording, with how much of it.

    Only keys of the videos that another clip has are used, so the work is one pass over the videos' signatures.

    Args:
        signatures: `Signatures` of videos.
        others: `Signatures` of other audio clips, few enough for memory.
        params: `near_duplicates`, for the min length of matching audio and DuckDB's memory.
    """
    params = params.model_copy(update=THOROUGH | SURE)
    keys = sorted(signatures)
    sounds = [sound for shard in others.values() for sound in read_videos(shard())]
    first_other = len(keys) << SHARD_SHIFT
    wanted = [video_keys(sound, first_other + number, params) for number, sound in enumerate(sounds)]
    wanted_keys = np.unique(np.concatenate([np.zeros(0, np.uint64), *(batch["key"].to_numpy() for batch in wanted)]))
    held: dict[int, VideoSignature] = {}

    def all_keys() -> Iterator[pa.RecordBatch]:
        for index, key in enumerate(keys):
            for place, video in enumerate(read_videos(signatures[key]())):
                number = (index << SHARD_SHIFT) + place
                batch = video_keys(video, number, params)
                batch = batch.filter(pa.array(_among(batch["key"].to_numpy(), wanted_keys)))
                if batch.num_rows:
                    held[number] = video
                    yield batch
        yield from wanted

    with TemporaryDirectory(prefix="overlap-") as folder:
        candidates = find_candidates(all_keys(), Path(folder), params)
        for (one, other), places in groupby(candidates, key=lambda candidate: (candidate.a, candidate.b)):
            if one >= first_other or other < first_other:
                continue
            pair = held[one], sounds[other - first_other]
            results = (agreement(*pair, place.around, place.offsets, params) for place in places)
            matches = [match for match in results if match is not None]
            if matches:
                yield Pair(pair[0].video_id, pair[1].video_id, max(matches, key=lambda match: match.matched_s))


def _among(values: NDArray[np.uint64], ascending: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are among the ascending others: as `numpy.isin`, which would sort the others at each call."""
    if not ascending.size:
        return np.zeros(values.size, np.bool_)
    among: NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, values), ascending.size - 1)] == values
    return among
