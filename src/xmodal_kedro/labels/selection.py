"""Reads a shard of a teacher's labels and selects those that count, as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.crc import crc32
from xmodal_kedro.params import ModalityParams
from xmodal_kedro.storage import LoadShard

SCORE_LEVELS = 256
DRAWS_PER_LEVEL = 16
SCORE_BINS = SCORE_LEVELS * DRAWS_PER_LEVEL
"""Scores are counted in bins: 256 levels of score, each divided into 16 equal random draws of clips. The draws keep a
limit exact when many scores are equal, as for a quantised or overconfident teacher."""
DRAW_BITS = 28
DRAWS_PER_HALVING = 64
DRAW_BINS = DRAW_BITS * DRAWS_PER_HALVING
"""Random draws of clips that cap frequent classes. Each draw keeps 1.1 % fewer clips than the one before, so a cap is
met closely at any class frequency."""
REMEDY = "delete that shard and run the pipeline that makes the labels again"


@dataclass(frozen=True)
class ShardClips:
    """The clips of a shard.

    Attributes:
        clip_ids, video_ids: in the order of the shard.
        draw: a hash of each `clip_id`, 32 bits [clips].
        still: whether each shows a still picture; all false where that was not read [clips].
    """

    clip_ids: pa.Array
    video_ids: pa.Array
    draw: Indices
    still: NDArray[np.bool_]

    @classmethod
    def of(cls, clips: LoadShard, stills: bool = False) -> ShardClips:
        """Read two columns, and with `stills` a third."""
        table = clips(columns=["clip_id", "video_id", *(["still_picture"] if stills else [])])
        clip_ids, video_ids = (_one_chunk(table[name]) for name in ("clip_id", "video_id"))
        still = table["still_picture"].to_numpy() if stills else np.zeros(len(clip_ids), bool)
        return cls(clip_ids, video_ids, crc32(clip_ids), still)

    def __len__(self) -> int:
        return len(self.clip_ids)

    @cached_property
    def videos(self) -> pa.DictionaryArray:
        """`video_ids`, dictionary-encoded."""
        return self.video_ids.dictionary_encode()

    @property
    def draw_bin(self) -> Indices:
        """Draw of each clip, 0..`DRAW_BINS` - 1; higher ones are rarer [clips].

        It is independent of the draw that divides a level of scores.
        """
        share = ((self.draw >> 4) + 1) / (1 << DRAW_BITS)
        return np.minimum(-np.log2(share) * DRAWS_PER_HALVING, DRAW_BINS - 1).astype(np.int64)


@dataclass(frozen=True)
class Selected:
    """Labels of one modality that count: one row for each candidate of a clip, ordered by clip and candidate.

    Attributes:
        clip: position of the clip in its shard [labels].
        index: index of the candidate [labels].
        score: the highest score of the labels that become the candidate, 0..1 [labels].
    """

    clip: Indices
    index: Indices
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.clip)

    def where(self, chosen: NDArray) -> Selected:
        """The chosen labels."""
        return Selected(self.clip[chosen], self.index[chosen], self.score[chosen])

    def bins(self, clips: ShardClips) -> Indices:
        """Bin of each score, 0..`SCORE_BINS` - 1 [labels]."""
        level = np.minimum(self.score * SCORE_LEVELS, SCORE_LEVELS - 1).astype(np.int64)
        # The lowest bits of a clip's random draw choose one of the bins of a level.
        return level * DRAWS_PER_LEVEL + (clips.draw[self.clip] & (DRAWS_PER_LEVEL - 1))


@dataclass(frozen=True)
class StoredLabels:
    """All stored labels that a teacher gave a shard, as arrays.

    Attributes:
        clip: position of the clip in its shard [labels].
        label: position of the class name in `names` [labels].
        score: 0..1 [labels].
        names: the classes that occur, strings.
        unlabelled: clips without a label, by reason.
    """

    clip: Indices
    label: Indices
    score: NDArray[np.float32]
    names: pa.Array
    unlabelled: Mapping[str, int]


def read_labels(labels: LoadShard, clips: ShardClips, dataset: str) -> StoredLabels:
    """Read the labels of a shard of clips.

    Args:
        labels: `TeacherLabels`.
        clips: the clips of the same shard.
        dataset: name of the labels in errors.

    Raises:
        UserError: naming the dataset and the clip, if labels and clips are not from the same run, or a score is not a
            number in 0..1.
    """
    with labels.open(as_dictionary=["clip_id", "label"]) as parquet:
        table, metadata = parquet.read(["clip_id", "label", "score"], use_threads=False), parquet.metadata.metadata
    clip_id, label = (_one_chunk(table[name].unify_dictionaries()) for name in ("clip_id", "label"))
    row_of = pc.index_in(clip_id.dictionary, value_set=clips.clip_ids)
    if row_of.null_count:
        stray = clip_id.dictionary.filter(row_of.is_null())
        raise UserError(
            f"{dataset}: clip {stray[0]} (and {len(stray) - 1} more) is not in its shard of clips: {REMEDY}"
        )
    if not metadata or not {b"clips", b"unlabelled"} <= metadata.keys():
        raise UserError(f"{dataset} have no number of clips in their metadata: {REMEDY}")
    clip_count, unlabelled = int(metadata[b"clips"]), json.loads(metadata[b"unlabelled"])
    if clip_count != len(clips):
        raise UserError(f"{dataset} are of {clip_count} clips, their shard has {len(clips)}: {REMEDY}")
    labelled = len(pc.unique(clip_id.indices))
    if labelled + sum(unlabelled.values()) != clip_count:
        raise UserError(f"{dataset}: {labelled} labelled clips and {unlabelled} are not {clip_count}: {REMEDY}")
    score = _one_chunk(table["score"]).to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    clip = row_of.to_numpy(zero_copy_only=False).astype(np.int64)[clip_id.indices.to_numpy()]
    if not np.all((score >= 0) & (score <= 1)):
        row = int(np.argmin((score >= 0) & (score <= 1)))
        raise UserError(
            f"{dataset}: the score of clip {clips.clip_ids[clip[row]]} for {label[row]} is {score[row]}, not 0..1: "
            f"{REMEDY}"
        )
    return StoredLabels(clip, label.indices.to_numpy().astype(np.int64), score, label.dictionary, unlabelled)


def select_best(
    stored: StoredLabels, params: ModalityParams, lowest: NDArray[np.float32] | None = None
) -> StoredLabels:
    """The `params.top_k` best labels of each clip from `params.threshold` on; equal scores are ordered by name.

    Args:
        lowest: score from which each of `stored.names` counts, in place of the threshold [names].
    """
    over = np.flatnonzero(stored.score >= (np.float32(params.threshold) if lowest is None else lowest[stored.label]))
    alphabetical = pc.rank(stored.names, tiebreaker="first").to_numpy().astype(np.int64)
    order = over[_best_first(stored.clip[over], stored.score[over], alphabetical[stored.label[over]])]
    clip = stored.clip[order]
    is_first = np.diff(clip, prepend=-1) != 0
    rank = np.arange(len(clip)) - np.flatnonzero(is_first)[np.cumsum(is_first) - 1] if len(clip) else clip
    kept = order[rank < params.top_k]
    return replace(stored, clip=stored.clip[kept], label=stored.label[kept], score=stored.score[kept])


def _best_first(clip: Indices, score: NDArray[np.float32], name: Indices) -> Indices:
    """Order by clip, then by descending score, then by name."""
    is_later_clip, is_same_clip = clip[1:] > clip[:-1], clip[1:] == clip[:-1]
    is_worse, is_equal = score[1:] < score[:-1], score[1:] == score[:-1]
    # Stored labels are in this order already.
    if np.all(is_later_clip | (is_same_clip & (is_worse | (is_equal & (name[1:] > name[:-1]))))):
        return np.arange(len(clip))
    return np.lexsort((name, -score, clip))


def match(labels: StoredLabels, classes: ClassMap, modality: str) -> Selected:
    """The candidates that labels become; if several labels of a clip become one, the highest score counts.

    Raises:
        UserError: naming a label that is not a class of the teacher.
    """
    index, row = classes.of_labels(modality, labels.names).take(labels.label)
    return best_of_each(labels.clip[row], index, labels.score[row], len(classes))


def best_of_each(clip: Indices, index: Indices, score: NDArray[np.float32], classes: int) -> Selected:
    """One row for each candidate of a clip, with the highest of its scores."""
    order, starts = groups(clip * classes + index)
    kept = order[starts]
    return Selected(clip[kept], index[kept], np.maximum.reduceat(score[order], starts))


def groups(values: Indices) -> tuple[Indices, Indices]:
    """The order that sorts `values` ascending, and the start of each distinct value in it."""
    order = np.argsort(values)
    return order, starts_of(values[order])


def starts_of(ascending: Indices) -> Indices:
    """The start of each distinct value in ascending ones."""
    is_first = np.ones(len(ascending), bool)
    is_first[1:] = ascending[1:] != ascending[:-1]
    return np.flatnonzero(is_first)


def is_among(values: Indices, ascending: Indices) -> NDArray[np.bool_]:
    """Whether each of `values`, none negative, occurs in the sorted `ascending` [values]."""
    padded = np.append(ascending, -1)
    occurs: NDArray[np.bool_] = padded[np.searchsorted(ascending, values)] == values
    return occurs


def pairs(visual: Selected, audio: Selected, clip_count: int) -> tuple[Indices, Indices]:
    """Every pair of a visual and an audio label of the same clip, as positions in both [pairs]."""
    audio_count = np.bincount(audio.clip, minlength=clip_count)
    starts = np.concatenate([[0], np.cumsum(audio_count)])
    count = audio_count[visual.clip]
    visual_rows = np.repeat(np.arange(len(visual)), count)
    within = np.arange(len(visual_rows)) - np.repeat(np.cumsum(count) - count, count)
    return visual_rows, starts[visual.clip[visual_rows]] + within


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
