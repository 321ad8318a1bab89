"""Which row groups hold clips of which split: counted once before training, from ids and labels, without a sound."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.data.order import RowGroups
from xmodal_kedro.errors import UserError, is_of_storage
from xmodal_kedro.storage import LoadShard, Shards

SplitName = Literal["train", "validation"]
SPLITS: tuple[SplitName, ...] = ("train", "validation")

SHARDS_AT_A_TIME = 16
"""Shards surveyed side by side: on an object store, each is a wait of tens of milliseconds."""


@dataclass(frozen=True)
class ShardTargets:
    """The labelled clips of one shard and split, in the order of the labels' rows.

    Attributes:
        clip_ids: string [clips].
        starts: where each clip's targets begin in `classes` and `weights` [clips + 1].
        classes: vocabulary indices, clip after clip.
        weights: of the targets.
    """

    clip_ids: pa.Array
    starts: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]


def read_targets(key: str, labels: LoadShard, split: SplitName, classes: int) -> ShardTargets:
    """Read the targets of a shard's clips; a clip without any takes no part, whatever its split.

    Raises:
        UserError: if the shard cannot be read, or a target is not in the vocabulary.
    """
    with reading("labels", key, labels), labels.open() as parquet:
        # Small columns: to share them out to threads would take longer than to read them.
        table = parquet.read(["clip_id", "split", "targets", "weights"], use_threads=False)
        kept = pc.and_(pc.equal(table["split"], split), pc.greater(pc.list_value_length(table["targets"]), 0))
        table = table.filter(kept).combine_chunks()
    lengths = pc.list_value_length(table["targets"]).to_numpy()
    targets = pc.list_flatten(table["targets"]).to_numpy().astype(np.int64)
    if targets.size and targets.max() >= classes:
        raise UserError(
            f"labels of {key} hold class {targets.max()}, but label_vocabulary has {classes} classes: "
            "run merge_labels again"
        )
    return ShardTargets(
        as_array(table["clip_id"]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        targets,
        pc.list_flatten(table["weights"]).to_numpy().astype(np.float32),
    )


def survey(clips: Shards, labels: Shards, classes: int) -> dict[SplitName, RowGroups]:
    """Count the labelled clips of each split in every row group.

    Args:
        clips, labels: paired shards under the same keys.
        classes: size of the label vocabulary.

    Raises:
        UserError: if a shard cannot be read, a labelled clip has no sound, or a target is not in the vocabulary.
    """
    keys = tuple(sorted(labels))
    with ThreadPoolExecutor(SHARDS_AT_A_TIME) as threads:
        counted = list(threads.map(partial(_count, clips, labels, classes), keys))
    found: dict[SplitName, RowGroups] = {}
    for at, split in enumerate(SPLITS):
        counts_G = np.concatenate([np.zeros(0, np.int64), *(shard[at] for shard in counted)])
        shard_G = np.repeat(np.arange(len(keys)), [shard.shape[1] for shard in counted])
        group_G = np.concatenate([np.zeros(0, np.int64), *(np.arange(shard.shape[1]) for shard in counted)])
        held = counts_G > 0
        found[split] = RowGroups(keys, shard_G[held], group_G[held], counts_G[held])
    return found


def _count(clips: Shards, labels: Shards, classes: int, key: str) -> NDArray[np.int64]:
    """Clips of each split in each row group of one shard [splits, row groups]."""
    targets = {split: read_targets(key, labels[key], split, classes) for split in SPLITS}
    with reading("clips", key, clips[key]), clips[key].open() as parquet:
        groups = parquet.num_row_groups
        ids = [parquet.read_row_group(group, columns=["clip_id"])["clip_id"] for group in range(groups)]
    counts_SG = np.zeros((len(SPLITS), groups), np.int64)
    for at, found in enumerate(targets.values()):
        for group, clip_ids in enumerate(ids):
            counts_SG[at, group] = pc.sum(pc.is_in(clip_ids, value_set=found.clip_ids)).as_py() or 0
        if counts_SG[at].sum() != len(found.clip_ids):
            held = pa.chunked_array([chunk for column in ids for chunk in column.chunks], pa.string())
            lost = found.clip_ids.filter(pc.invert(pc.is_in(found.clip_ids, value_set=held)))
            raise UserError(
                f"labels of {key} name {len(lost)} clips that its clips do not hold, such as {pc.min(lost).as_py()}: "
                "run the pipelines clip, visual_label, audio_label and merge_labels again"
            )
    return counts_SG


@contextmanager
def reading(what: str, key: str, shard: LoadShard) -> Iterator[None]:
    """Name the shard, and what to do, where one cannot be read.

    Raises:
        UserError: in place of the errors of Parquet and storage.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if is_of_storage(error):
            raise UserError(
                f"storage does not give {what} of {key} ({error}): see that {shard.path} can be read, and run again; "
                "training goes on from its last checkpoint"
            ) from error
        raise UserError(
            f"{what} of {key} cannot be read ({error}): delete {shard.path} and run the pipeline that makes {what} "
            "again; training goes on from its last checkpoint"
        ) from error


def as_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, also where it has no chunk."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
