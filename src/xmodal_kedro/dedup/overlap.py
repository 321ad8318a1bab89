"""Which videos hold the same recording as other audio clips, such as a benchmark's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.dedup.candidates import Keys, find_candidates
from xmodal_kedro.dedup.keys import Sampling, audio_keys, frame_keys
from xmodal_kedro.dedup.pairs import NumberedShards, Pair, matching_pairs
from xmodal_kedro.dedup.videos import load_videos
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.fetching import folder_for_copy

THOROUGH = {"keep_one_in": 1, "neighbours": 16}
"""Replace values of `near_duplicates`: searching a corpus for a few clips costs little."""
SURE = {"min_share": 0.5, "max_bit_errors": 0.3, "max_bit_errors_if_seen_alike": 0.3}
"""Stricter values of `near_duplicates`: two alarms or metronomes match over two seconds by chance."""


def overlapping_pairs(signatures: Shards, others: Shards, params: NearDuplicateParams) -> Iterator[Pair]:
    """Pairs of a video and another clip that hold one recording, with how much of it.

    Of very many videos that hold one, the last are paired: `THOROUGH` says how many. The others are found when those
    are gone.

    Only keys of the videos that another clip has are used, so the work is one pass over the videos' signatures.

    Args:
        signatures: `Signatures` of videos.
        others: `Signatures` of other audio clips, few enough for memory.
        params: `near_duplicates`, for the min length of matching audio and the memory.
    """
    params = params.model_copy(update=THOROUGH | SURE)
    loads = [signatures[key] for key in sorted(signatures)]
    shards = NumberedShards([*loads, *others.values()])
    wanted = _keys_of(others)

    def all_keys() -> Iterator[Keys]:
        for index in range(len(shards)):
            first, videos = shards.load(index)
            audio = audio_keys(videos, first, Sampling(params.keep_one_in))
            frames = frame_keys(videos, first)
            yield Keys(audio[_among(audio["key"], wanted.audio)], frames[_among(frames["key"], wanted.frames)])

    with folder_for_copy() as folder:
        candidates = find_candidates(lambda _: all_keys(), 1, folder, params)
        first_other = shards.first(len(loads))
        across = candidates[(candidates["a"] < first_other) & (candidates["b"] >= first_other)]
        yield from matching_pairs(shards, across, folder, params)


def _keys_of(shards: Shards) -> Keys:
    """The different keys of all videos, ascending."""
    audio, frames = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)]
    for shard in shards.values():
        videos = load_videos(shard)
        audio.append(audio_keys(videos, 0, Sampling(keep_one_in=1))["key"])
        frames.append(frame_keys(videos, 0)["key"])
    return Keys(np.unique(np.concatenate(audio)), np.unique(np.concatenate(frames)))


def _among(values: NDArray[np.uint32], ascending: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which values are among the ascending others: as `numpy.isin`, which would sort the others at each call."""
    if not ascending.size:
        return np.zeros(values.size, np.bool_)
    among: NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, values), ascending.size - 1)] == values
    return among
