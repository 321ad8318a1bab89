"""Stream clips with their targets from paired shards, shuffled, in memory that does not grow with the corpus."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from xmodal_kedro.data.batch import Batch, embedding_targets
from xmodal_kedro.data.order import EpochOrder, Piece, Pool, RowGroups
from xmodal_kedro.data.prefetch import prefetched
from xmodal_kedro.data.survey import ShardTargets, SplitName, read_targets, reading
from xmodal_kedro.data.teacher_embeddings import Embeddings, ShardEmbeddings
from xmodal_kedro.data.teacher_views import ClipViews, ShardViews, Views
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.views import View, cut
from xmodal_kedro.params.training import Modality
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import Shards

_PREFETCHED_BATCHES = 4
_POOLS_IN_MEMORY = 2
"""Of each stream: one that is consumed, and one that is read meanwhile."""
_LABEL_SHARDS_IN_MEMORY = 256
"""Some 40 MB: to read the labels of a shard again for each of its row groups costs a fifth of the loader's time."""
_EMBEDDING_SHARDS_IN_MEMORY = 64
"""Of each teacher: some 130 MB with embeddings of 2,048 numbers."""


@dataclass(frozen=True)
class LabelledClip:
    """The sound of one clip, of its stored length, its targets as vocabulary indices with their weights, and the
    embedding [size] of each teacher whose embeddings are learnt, None where the clip has none."""

    clip_id: str
    audio: NDArray[np.int16]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]
    embeddings: tuple[NDArray[np.float16] | None, ...]
    views: ClipViews | None = None


Cut = tuple[LabelledClip, View]
"""A clip, and which part of it is given."""


@dataclass(frozen=True)
class Reader:
    """Who reads: `rank` of `ranks` takes every `ranks`-th stream, with `threads`; into pinned memory if
    `pinned`."""

    rank: int = 0
    ranks: int = 1
    threads: int = 1
    pinned: bool = False


SOLE_READER = Reader()


class _Beside(NamedTuple):
    """What is read beside a shard of clips, by its key, and kept for its next row groups."""

    targets_of: Callable[[str], ShardTargets]
    embeddings_of: tuple[Callable[[str], ShardEmbeddings], ...]
    views_of: Callable[[str], ShardViews] | None


@dataclass(frozen=True)
class ClipStream:
    """The clips of one split, joined with their labels by `clip_id`.

    Every labelled clip of the split comes exactly once an epoch.

    Attributes:
        clips, labels: paired shards under the same keys.
        embeddings: of the teachers whose embeddings are learnt, by modality, under the same keys too.
        split: which clips. Those for training come in random order, those for validation in the stored one.
        groups: the row groups that hold them, as `survey` found.
        classes: size of the label vocabulary.
        clip_s: length of the audio given, seconds. Of a longer clip a random part is taken for training, the middle for
            validation; a shorter one is repeated.
        batch_size: max clips of a batch. Batches of an epoch differ by one clip at most in size.
        shuffle_buffer: clips held in memory to shuffle the stream; some row groups more, as these are held whole.
        streams: streams that the epoch is read as; see `order`.
        seed: with the epoch's number, it alone decides the order and the cuts of training clips, whoever reads.
        views: what a teacher said of views of the clips, under the same keys too: of each clip one of them is given.
            None for parts that no teacher has heard.
    """

    clips: Shards
    labels: Shards
    embeddings: Mapping[Modality, Embeddings]
    split: SplitName
    groups: RowGroups
    classes: int
    clip_s: float
    batch_size: int
    shuffle_buffer: int
    streams: int
    seed: int
    views: Views | None = None

    def order(self, epoch: int = 0) -> EpochOrder:
        """The order of an epoch."""
        pool_clips = max(1, self.shuffle_buffer // (self.streams * _POOLS_IN_MEMORY))
        return EpochOrder(self.groups, self.batch_size, self.streams, pool_clips, self._random(epoch))

    def batches(self, epoch: int = 0, first_step: int = 0, reader: Reader = SOLE_READER) -> Generator[Batch]:
        """The batches of one epoch from `first_step` on, read ahead by background threads.

        Args:
            epoch: number of the epoch.
            first_step: batches before it are left out, without reading their sound.
            reader: which part of each batch is given.

        Raises:
            UserError: if a shard cannot be read, or is no longer what it was when it was surveyed.
        """
        return prefetched(self._batches(epoch, first_step, reader), _PREFETCHED_BATCHES)

    def _batches(self, epoch: int, first_step: int, reader: Reader) -> Generator[Batch]:
        order = self.order(epoch)
        mine = range(reader.rank, self.streams, reader.ranks)
        beside = _Beside(
            lru_cache(maxsize=_LABEL_SHARDS_IN_MEMORY)(self._targets),
            tuple(lru_cache(maxsize=_EMBEDDING_SHARDS_IN_MEMORY)(of.read) for of in self.embeddings.values()),
            lru_cache(maxsize=_EMBEDDING_SHARDS_IN_MEMORY)(self.views.read) if self.views else None,
        )
        with ThreadPoolExecutor(reader.threads, "clip-reader") as threads:
            sources = [
                _from_pools(
                    order.pools(stream),
                    partial(self._submit, threads, beside, epoch, stream),
                    order.taken(stream, first_step),
                )
                for stream in mine
            ]
            try:
                for step in range(first_step, order.steps):
                    parts = tuple((stream, order.quota(stream, step)) for stream in mine)
                    clips = [
                        next(source) for source, (_, size) in zip(sources, parts, strict=True) for _ in range(size)
                    ]
                    yield self._batch(clips, parts, order.sizes[step], reader.pinned)
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def _submit(
        self, threads: ThreadPoolExecutor, beside: _Beside, epoch: int, stream: int, pool: Pool
    ) -> Future[list[Cut]]:
        return threads.submit(self._read_pool, beside, epoch, stream, pool)

    def _read_pool(self, beside: _Beside, epoch: int, stream: int, pool: Pool) -> list[Cut]:
        """The clips of a pool in the order they are given, each with the part of its sound that is."""
        clips = [clip for piece in pool.pieces for clip in self._read_piece(piece, beside)]
        samples = round(self.clip_s * CLIP_SAMPLE_RATE_HZ)
        surplus_N = np.array([max(0, len(clip.audio) - samples) for clip in clips])
        rng = self._random(epoch, stream, pool.number)
        if rng is None:
            return list(zip(clips, map(View, (surplus_N // 2).tolist()), strict=True))
        views = [*map(View, rng.integers(surplus_N, endpoint=True).tolist())]
        order = rng.permutation(len(clips)).tolist()
        if self.views is not None:
            numbers = rng.integers(self.views.plan.count, size=len(clips)).tolist()
            views = [
                self.views.view_of(clip.clip_id, number, int(surplus))
                for clip, number, surplus in zip(clips, numbers, surplus_N, strict=True)
            ]
        return [(clips[at], views[at]) for at in order]

    def _read_piece(self, piece: Piece, beside: _Beside) -> list[LabelledClip]:
        shard, targets = self.clips[piece.key], beside.targets_of(piece.key)
        with reading("clips", piece.key, shard), shard.open() as parquet:
            rows = parquet.read_row_group(piece.group, columns=["clip_id", "audio"], use_threads=False)
        found = pc.index_in(rows["clip_id"], value_set=targets.clip_ids)
        at_row = np.flatnonzero(found.is_valid().to_numpy())[piece.first : piece.last]
        if len(at_row) != piece.last - piece.first:
            raise UserError(f"the shard {piece.key} has changed since training began: start training again")
        at_target = found.take(pa.array(at_row)).to_numpy()
        ids = targets.clip_ids.take(pa.array(at_target))
        of_teachers = [embeddings_of(piece.key).of(ids) for embeddings_of in beside.embeddings_of]
        views = beside.views_of(piece.key).of(ids) if beside.views_of else [None] * len(ids)
        sounds = _sounds(rows["audio"])
        return [
            LabelledClip(
                clip_id,
                sounds[row],
                targets.classes[targets.starts[target] : targets.starts[target + 1]],
                targets.weights[targets.starts[target] : targets.starts[target + 1]],
                tuple(of_teacher[place] for of_teacher in of_teachers),
                views[place],
            )
            for place, (clip_id, row, target) in enumerate(
                zip(ids.to_pylist(), at_row.tolist(), at_target.tolist(), strict=True)
            )
        ]

    def _batch(self, clips: Sequence[Cut], parts: tuple[tuple[int, int], ...], whole: int, pinned: bool) -> Batch:
        samples = round(self.clip_s * CLIP_SAMPLE_RATE_HZ)
        audio_BT = torch.empty((len(clips), samples), dtype=torch.int16, pin_memory=pinned)
        targets_BC = torch.zeros((len(clips), self.classes), pin_memory=pinned)
        audio, targets = audio_BT.numpy(), targets_BC.numpy()
        for row, (clip, view) in enumerate(clips):
            audio[row] = cut(clip.audio, samples, view)
            targets[row, clip.classes] = clip.weights
        embeddings = {
            modality: embedding_targets([clip.embeddings[place] for clip, _ in clips], of.size, pinned)
            for place, (modality, of) in enumerate(self.embeddings.items())
        }
        scores_BS = None
        if self.views is not None:
            of_views = [(clip.views, view.number) for clip, view in clips if clip.views is not None]
            plan = self.views.plan
            scores_BS = torch.zeros((len(clips), plan.classes), pin_memory=pinned)
            for scores_S, (of, number) in zip(scores_BS.numpy(), of_views, strict=True):
                scores_S[of.classes_VK[number]] = of.scores_VK[number]
            if plan.embedding_size:
                heard = [of.embedding_VE[number] for of, number in of_views]
                embeddings["audio"] = embedding_targets(heard, plan.embedding_size, pinned)
        ids = [clip.clip_id for clip, _ in clips]
        return Batch(audio_BT, targets_BC, ids, parts, whole, embeddings, scores_BS)

    def _targets(self, key: str) -> ShardTargets:
        return read_targets(key, self.labels[key], self.split, self.classes)

    def _random(self, *place: int) -> np.random.Generator | None:
        """What decides at a place of a training epoch; None where nothing is random."""
        return np.random.default_rng([self.seed, len(place), *place]) if self.split == "train" else None


def _from_pools(pools: Iterator[Pool], read: Callable[[Pool], Future[list[Cut]]], skipped: int) -> Iterator[Cut]:
    """The clips of a stream after the first `skipped`; the next pool is read while one is consumed."""
    waiting: list[tuple[Future[list[Cut]], int]] = []
    for pool in pools:
        if skipped >= pool.clips:
            skipped -= pool.clips
            continue
        waiting.append((read(pool), skipped))
        skipped = 0
        if len(waiting) == _POOLS_IN_MEMORY:
            made, first = waiting.pop(0)
            yield from made.result()[first:]
    for made, first in waiting:
        yield from made.result()[first:]


def _sounds(column: pa.ChunkedArray) -> list[NDArray[np.int16]]:
    """Views on the samples of each row."""
    sounds = []
    for chunk in column.chunks:
        _, offsets, samples = chunk.buffers()
        bounds = (np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1] // 2).tolist()
        whole = np.frombuffer(samples, "<i2") if samples is not None else np.zeros(0, "<i2")
        sounds += [whole[first:last] for first, last in pairwise(bounds)]
    return sounds
