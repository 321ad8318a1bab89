"""Stream clips with their targets from paired shards, shuffled, in memory that does not grow with the corpus."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.audio.augment import fit_length
from xmodal_kedro.handles import LoadShard, Shards
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

Split = Literal["train", "validation"]

_READ_ROWS = 64
_PREFETCHED_BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """Some clips: sound int16 [batch, samples], target weights float32 [batch, classes], and their ids."""

    audio: NDArray[np.int16]
    targets: NDArray[np.float32]
    clip_ids: list[str]


@dataclass(frozen=True)
class Example:
    """One clip cut to length, and its targets as vocabulary indices with their weights."""

    clip_id: str
    audio: NDArray[np.int16]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class ClipStream:
    """The clips of one split, joined with their labels by `clip_id`.

    A clip whose `targets` are empty takes no part: no label passed the merging, which does not mean that no class
    is there. Every other clip of the split comes exactly once an epoch.

    Attributes:
        clips, labels: paired shards under the same keys.
        split: which clips.
        classes: size of the label vocabulary.
        clip_s: length of sound given, seconds. Of a longer clip a random part is taken for training, the middle for
            validation; a shorter one is repeated.
        batch_size: most clips of a batch. Batches of an epoch differ by one clip at most in size.
        shuffle_buffer: clips held in memory to shuffle the stream.
        seed: with the epoch's number, it alone decides the order and the cuts of training clips. Validation clips
            keep the stored order.
    """

    clips: Shards
    labels: Shards
    split: Split
    classes: int
    clip_s: float
    batch_size: int
    shuffle_buffer: int
    seed: int

    def count(self) -> int:
        """Clips of an epoch, from the labels alone."""
        return sum(len(self._targets(key)) for key in self.labels)

    def batches(self, clip_count: int, epoch: int = 0) -> Iterator[Batch]:
        """One epoch, read ahead by a background thread.

        Args:
            clip_count: what `count` gave.
            epoch: number of the epoch.

        Raises:
            ValueError: if a labelled clip has no sound, or a target is not in the vocabulary.
        """
        return prefetched(self._batches(clip_count, epoch), _PREFETCHED_BATCHES)

    def _batches(self, clip_count: int, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch]) if self.split == "train" else None
        examples = self._examples(rng)
        if rng is not None:
            examples = shuffled(examples, self.shuffle_buffer, rng)
        for size in even_sizes(clip_count, self.batch_size):
            yield self._batch([next(examples) for _ in range(size)])

    def _examples(self, rng: np.random.Generator | None) -> Iterator[Example]:
        keys = sorted(self.labels)
        for key in keys if rng is None else rng.permutation(keys).tolist():
            yield from self._shard_examples(key, rng)

    def _shard_examples(self, key: str, rng: np.random.Generator | None) -> Iterator[Example]:
        waiting = self._targets(key)
        if not waiting:
            return
        samples = round(self.clip_s * CLIP_SAMPLE_RATE_HZ)
        for clip_id, audio_T in _read_audio(self.clips[key], rng):
            if clip_id in waiting:
                targets, weights = waiting.pop(clip_id)
                yield Example(clip_id, fit_length(audio_T, samples, rng).copy(), targets, weights)
        if waiting:
            raise ValueError(
                f"labels of {key} name {len(waiting)} clips that its clips do not hold, such as {min(waiting)}: "
                "run the pipelines clip, visual_label, audio_label and merge_labels again"
            )

    def _targets(self, key: str) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
        table = self.labels[key](["clip_id", "split", "targets", "weights"])
        chosen = {}
        for row in table.to_pylist():
            if row["split"] == self.split and row["targets"]:
                targets = np.array(row["targets"], dtype=np.int64)
                if targets.max() >= self.classes:
                    raise ValueError(
                        f"labels of {key} hold class {targets.max()}, but label_vocabulary has {self.classes} classes: "
                        "run merge_labels again"
                    )
                chosen[row["clip_id"]] = (targets, np.array(row["weights"], dtype=np.float32))
        return chosen

    def _batch(self, examples: list[Example]) -> Batch:
        targets_BC = np.zeros((len(examples), self.classes), dtype=np.float32)
        for row, example in enumerate(examples):
            targets_BC[row, example.targets] = example.weights
        return Batch(
            np.stack([example.audio for example in examples]), targets_BC, [example.clip_id for example in examples]
        )


def _read_audio(shard: LoadShard, rng: np.random.Generator | None) -> Iterator[tuple[str, NDArray[np.int16]]]:
    with shard.open() as parquet:
        groups = range(parquet.num_row_groups)
        for group in groups if rng is None else rng.permutation(groups).tolist():
            for rows in parquet.iter_batches(_READ_ROWS, row_groups=[group], columns=["clip_id", "audio"]):
                for clip_id, audio in zip(rows["clip_id"], rows["audio"], strict=True):
                    yield clip_id.as_py(), np.frombuffer(audio.as_buffer(), dtype="<i2")


def shuffled(examples: Iterator[Example], buffer_size: int, rng: np.random.Generator) -> Iterator[Example]:
    """Give the examples in random order, holding at most `buffer_size` of them."""
    buffer: list[Example] = []
    for example in examples:
        if len(buffer) < buffer_size:
            buffer.append(example)
            continue
        chosen = int(rng.integers(buffer_size))
        yield buffer[chosen]
        buffer[chosen] = example
    for index in rng.permutation(len(buffer)):
        yield buffer[index]


def even_sizes(total: int, largest: int) -> list[int]:
    """Split `total` into the fewest parts of at most `largest`, none of them odd and small: they differ by one."""
    parts = math.ceil(total / largest)
    return [total // parts + (part < total % parts) for part in range(parts)]


def prefetched(batches: Iterator[Batch], depth: int) -> Iterator[Batch]:
    """Give what `batches` gives, made ahead in a background thread by up to `depth`; its errors are raised here."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, name="clip-stream", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
