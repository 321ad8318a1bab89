"""Pairs of videos that hold one recording: candidates, and their comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.dedup.agreement import Agreement, agreement
from xmodal_kedro.dedup.candidates import candidate_of
from xmodal_kedro.dedup.videos import VideoSignature, VideosOfShard, load_videos
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.storage import LoadShard

FIELDS = {"at": np.int64, "words": np.uint32, "picture_times_s": np.float64, "picture_hashes": np.uint64}


class Pair(NamedTuple):
    """Two videos that hold one recording."""

    one: str
    other: str
    agreement: Agreement


class NumberedShards:
    """Shards of signatures whose videos are numbered one after the other, from 0.

    The numbers of a shard's videos are known when it and all those before it have been read.
    """

    def __init__(self, shards: Sequence[LoadShard]) -> None:
        """Number the videos of these shards, in this order."""
        self._shards = shards
        self._starts = [0]

    def __len__(self) -> int:
        return len(self._shards)

    def load(self, index: int) -> tuple[int, VideosOfShard]:
        """The number of the first video of a shard, and the shard's videos."""
        videos = load_videos(self._shards[index])
        if index == len(self._starts) - 1:
            self._starts.append(self._starts[index] + len(videos))
        return self._starts[index], videos

    def first(self, index: int) -> int:
        """The number of the first video of a shard, or of the one after the last."""
        return self._starts[index]

    def wanted(self, numbers: NDArray[np.integer]) -> Iterator[tuple[str, VideoSignature]]:
        """The `video_id` and signature of each of these videos, whose numbers are in ascending order, each once."""
        edges = np.searchsorted(numbers, self._starts)
        for index, (begin, end) in enumerate(pairwise(edges)):
            if begin < end:
                first, videos = self.load(index)
                for place in numbers[begin:end].astype(np.int64) - first:
                    yield videos.video_ids[place], videos.video(place)


class StoredSignatures:
    """Signatures in temporary files, to be read in any order."""

    def __init__(self, folder: Path) -> None:
        """Begin without signatures, in a folder that is there."""
        self.video_ids: list[str] = []
        self._files = {name: folder / name for name in FIELDS}
        self._starts = {name: [0] for name in FIELDS}

    def add(self, video_id: str, signature: VideoSignature) -> None:
        """Store the signature of one more video."""
        self.video_ids.append(video_id)
        for name, values in signature._asdict().items():
            with self._files[name].open("ab") as file:
                file.write(values.astype(FIELDS[name]).tobytes())
            self._starts[name].append(self._starts[name][-1] + values.size)

    def signature(self, place: int) -> VideoSignature:
        """The signature that was stored at a place, counted from 0."""
        return VideoSignature(*(self._values(name, place) for name in VideoSignature._fields))

    def _values(self, name: str, place: int) -> NDArray[Any]:
        begin, end = self._starts[name][place : place + 2]
        dtype = np.dtype(FIELDS[name])
        with self._files[name].open("rb") as file:
            file.seek(begin * dtype.itemsize)
            return np.frombuffer(file.read((end - begin) * dtype.itemsize), dtype)


def matching_pairs(
    shards: NumberedShards, candidates: NDArray[Any], folder: Path, params: NearDuplicateParams
) -> Iterator[Pair]:
    """The candidates that hold one recording, each with its best match, in order of their numbers.

    Each shard with a candidate is read once.

    Args:
        candidates: as `find_candidates` returns them.
        folder: a folder for temporary files, which hold the signatures of all candidates.
    """
    if not candidates.size:
        return
    numbers = np.unique(np.concatenate([candidates["a"], candidates["b"]]))
    stored = StoredSignatures(folder)
    for video_id, signature in shards.wanted(numbers):
        stored.add(video_id, signature)
    for (one, other), votes in groupby(map(candidate_of, candidates), key=lambda candidate: (candidate.a, candidate.b)):
        at = np.searchsorted(numbers, [one, other])
        pair = stored.signature(at[0]), stored.signature(at[1])
        results = (agreement(*pair, vote.around, vote.offsets, params) for vote in votes)
        matches = [match for match in results if match is not None]
        if matches:
            best = max(matches, key=lambda match: match.matched_s)
            yield Pair(stored.video_ids[at[0]], stored.video_ids[at[1]], best)
