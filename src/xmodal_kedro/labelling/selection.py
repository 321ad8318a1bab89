"""From a shard of a teacher's labels to those that count, as arrays."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.handles import LoadShard
from xmodal_kedro.labelling.class_map import ClassMap, Indices
from xmodal_kedro.params import ModalityParams

SCORE_LEVELS = 256
DRAWS_PER_LEVEL = 16
SCORE_BINS = SCORE_LEVELS * DRAWS_PER_LEVEL
"""Scores are counted in bins: 256 levels of score, and within each 16 even draws of clips, so that a limit can be kept
though many scores are equal, as those of a quantised or an over-confident teacher are."""
DRAW_BITS = 12
DRAW_BINS = 1 << DRAW_BITS
"""Even draws of clips by which frequent classes are capped."""


@dataclass(frozen=True)
class ShardClips:
    """The clips of a shard.

    Attributes:
        clip_ids, video_ids: in the order of the shard.
        draw: a hash of each `clip_id`, 32 bits [clips].
    """

    clip_ids: pa.Array
    video_ids: pa.Array
    draw: Indices

    @classmethod
    def of(cls, clips: LoadShard) -> ShardClips:
        """Read two columns."""
        table = clips(columns=["clip_id", "video_id"])
        clip_ids, video_ids = (_one_chunk(table[name]) for name in ("clip_id", "video_id"))
        draws = (zlib.crc32(clip_id.encode()) for clip_id in clip_ids.to_pylist())
        return cls(clip_ids, video_ids, np.fromiter(draws, np.int64, len(clip_ids)))

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def draw_bin(self) -> Indices:
        """0..`DRAW_BINS` - 1 [clips]; independent of what divides a level of scores."""
        return (self.draw >> 4) & (DRAW_BINS - 1)


@dataclass(frozen=True)
class Selected:
    """Labels of one modality that count, one row for each candidate of a clip, in the order of clips and candidates.

    Attributes:
        clip: position of the clip in its shard [labels].
        index: of the candidate [labels].
        score: the best of the labels that become the candidate, 0..1 [labels].
    """

    clip: Indices
    index: Indices
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.clip)

    def where(self, chosen: NDArray) -> Selected:
        """Those of the labels."""
        return Selected(self.clip[chosen], self.index[chosen], self.score[chosen])

    def bins(self, clips: ShardClips) -> Indices:
        """Bin of each score, 0..`SCORE_BINS` - 1 [labels]."""
        level = np.minimum(self.score * SCORE_LEVELS, SCORE_LEVELS - 1).astype(np.int64)
        return level * DRAWS_PER_LEVEL + (clips.draw[self.clip] & (DRAWS_PER_LEVEL - 1))


@dataclass(frozen=True)
class StoredLabels:
    """A teacher's labels of a shard as they are stored, as arrays.

    Attributes:
        clip: position of the clip in its shard [labels].
        label: position of the class's name in `names` [labels].
        score: 0..1 [labels].
        names: the classes that occur.
    """

    clip: Indices
    label: Indices
    score: NDArray[np.float32]
    names: list[str]


def read_labels(labels: LoadShard, clips: ShardClips, dataset: str) -> StoredLabels:
    """Read a shard of labels beside its clips.

    Args:
        labels: `TeacherLabels`.
        clips: the clips of the same shard.
        dataset: what the labels are called in errors.

    Raises:
        ValueError: naming the dataset and the clip, where labels and clips are not of one run, or a score is no number
            from 0 to 1.
    """
    with labels.open(as_dictionary=["clip_id", "label"]) as parquet:
        table = parquet.read(["clip_id", "label", "score"])
    clip_id, label = (_one_chunk(table[name].unify_dictionaries()) for name in ("clip_id", "label"))
    row_of = pc.index_in(clip_id.dictionary, value_set=clips.clip_ids)
    if row_of.null_count:
        stray = clip_id.dictionary.filter(row_of.is_null())
        raise ValueError(
            f"{dataset}: clip {stray[0]} (and {len(stray) - 1} more) is not in its shard of clips: run the pipeline "
            "that makes the labels again"
        )
    told, unlabelled = int(labels.metadata["clips"]), json.loads(labels.metadata["unlabelled"])
    if told != len(clips):
        raise ValueError(
            f"{dataset} are of {told} clips, their shard has {len(clips)}: run the pipeline that makes the labels again"
        )
    labelled = len(pc.unique(clip_id.indices))
    if labelled + sum(unlabelled.values()) != told:
        raise ValueError(
            f"{dataset}: {labelled} labelled clips and {unlabelled} are not {told}: run the pipeline that makes them "
            "again"
        )
    score = _one_chunk(table["score"]).to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    clip = row_of.to_numpy(zero_copy_only=False).astype(np.int64)[clip_id.indices.to_numpy()]
    if not np.all((score >= 0) & (score <= 1)):
        at = int(np.argmin((score >= 0) & (score <= 1)))
        raise ValueError(
            f"{dataset}: the score of clip {clips.clip_ids[clip[at]]} for {label[at]} is {score[at]}, not 0..1: run "
            "the pipeline that makes the labels again"
        )
    return StoredLabels(clip, label.indices.to_numpy().astype(np.int64), score, label.dictionary.to_pylist())


def best_labels(stored: StoredLabels, params: ModalityParams) -> StoredLabels:
    """The best `params.top_k` labels of each clip over `params.threshold`; of equal scores, first by name."""
    over = np.flatnonzero(stored.score >= np.float32(params.threshold))
    alphabetical = np.empty(len(stored.names), np.int64)
    alphabetical[np.argsort(np.array(stored.names, object))] = np.arange(len(stored.names))
    order = over[np.lexsort((alphabetical[stored.label[over]], -stored.score[over], stored.clip[over]))]
    clip = stored.clip[order]
    is_first = np.diff(clip, prepend=-1) != 0
    rank = np.arange(len(clip)) - np.flatnonzero(is_first)[np.cumsum(is_first) - 1] if len(clip) else clip
    kept = order[rank < params.top_k]
    return replace(stored, clip=stored.clip[kept], label=stored.label[kept], score=stored.score[kept])


def match(labels: StoredLabels, classes: ClassMap, modality: str) -> Selected:
    """The candidates that labels become; where several of a clip become one, the best score counts.

    Raises:
        ValueError: naming a label that is no class of the teacher.
    """
    index, row = classes.of_labels(modality, labels.names).take(labels.label)
    return best_of_each(labels.clip[row], index, labels.score[row], len(classes))


def best_of_each(clip: Indices, index: Indices, score: NDArray[np.float32], classes: int) -> Selected:
    """One row for each candidate of a clip, with the best of its scores."""
    key = clip * classes + index
    order = np.lexsort((-score, key))
    first = np.diff(key[order], prepend=-1) != 0
    kept = order[first]
    return Selected(clip[kept], index[kept], score[kept])


def pairs(visual: Selected, audio: Selected, clip_count: int) -> tuple[Indices, Indices]:
    """Every visual label beside every audio label of the same clip: positions in both [pairs]."""
    heard = np.bincount(audio.clip, minlength=clip_count)
    starts = np.concatenate([[0], np.cumsum(heard)])
    count = heard[visual.clip]
    seen = np.repeat(np.arange(len(visual)), count)
    within = np.arange(len(seen)) - np.repeat(np.cumsum(count) - count, count)
    return seen, starts[visual.clip[seen]] + within


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
