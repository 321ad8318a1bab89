"""Two teachers' labels of a shard become its training targets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from xmodal_kedro.handles import LoadShard, ShardJobs, Shards
from xmodal_kedro.labelling.vocabulary import kept_labels, require_same_keys, used_teachers
from xmodal_kedro.params import MergeParams
from xmodal_kedro.schemas import LABELS_ARROW
from xmodal_kedro.sharding import members


def merge_jobs(
    clips: Shards,
    visual: Shards,
    audio: Shards,
    vocabulary: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    params: MergeParams,
) -> ShardJobs:
    """One job a shard.

    Jobs are given class names only, and the groups of their own videos only, so that clips which merely change the
    counts of a vocabulary, and near-duplicates found elsewhere, leave other shards as they are.

    Raises:
        ValueError: naming the dataset and the shard, where clips and labels do not pair up.
    """
    teachers = used_teachers(visual, audio, params)
    require_same_keys({"clips": clips, **{f"{modality}_labels": shards for modality, shards in teachers.items()}})
    names = tuple(vocabulary.sort_values("index")["name"])
    group_of = dict(zip(near_duplicates["video_id"], near_duplicates["group_id"], strict=True))
    grouped = members(group_of, clips)
    return {
        key: partial(
            merge_shard,
            load,
            {name: shards[key] for name, shards in teachers.items()},
            names,
            {video_id: group_of[video_id] for video_id in grouped[key]},
            params,
        )
        for key, load in clips.items()
    }


def merge_shard(
    clips: LoadShard,
    teachers: dict[str, LoadShard],
    names: tuple[str, ...],
    group_of: Mapping[str, str],
    params: MergeParams,
) -> pa.Table:
    """The training targets of one shard, one row a clip, in the order of the clips.

    A clip of which no label is in the vocabulary has empty targets. The metadata counts the `clips` and those
    `targeted`, which have a target.

    Args:
        clips: the clips.
        teachers: label shards of the same clips by modality.
        names: the vocabulary in the order of its indices.
        group_of: the group of near-duplicates that a video is in, where it is in one.
        params: `merge_labels`.

    Raises:
        ValueError: naming a labelled clip that is not in the shard of clips.
    """
    table = clips(columns=["clip_id", "video_id"])
    found = pd.concat([kept_labels(load(), params.of(modality)) for modality, load in teachers.items()])
    clip_ids, video_ids = table["clip_id"].to_pylist(), table["video_id"].to_pylist()
    unknown = sorted(set(found["clip_id"]) - set(clip_ids))
    if unknown:
        raise ValueError(
            f"labels of clip {unknown[0]!r} (and {len(unknown) - 1} more) have no clip in their shard: run "
            "visual_label and audio_label again"
        )
    index_of = {name.casefold(): index for index, name in enumerate(names)}
    row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    found = found.assign(row=found["clip_id"].map(row_of), index=found["name"].map(index_of)).dropna(subset="index")
    best = found.groupby(["row", "index"], as_index=False)["score"].max()
    targets_per_clip = np.bincount(best["row"], minlength=len(clip_ids))
    offsets = pa.array(np.concatenate([[0], np.cumsum(targets_per_clip)]), pa.int32())
    weights = best["score"] if params.targets == "soft" else np.ones(len(best))
    merged = pa.table(
        [
            table["clip_id"],
            table["video_id"],
            [split_of(group_of.get(video_id, video_id), params.validation_fraction) for video_id in video_ids],
            pa.ListArray.from_arrays(offsets, pa.array(best["index"].to_numpy(np.int32))),
            pa.ListArray.from_arrays(offsets, pa.array(np.asarray(weights, np.float32))),
        ],
        schema=LABELS_ARROW,
    )
    targeted = int((targets_per_clip > 0).sum())
    return merged.replace_schema_metadata({"clips": str(merged.num_rows), "targeted": str(targeted)})


def split_of(group_id: str, validation_fraction: float) -> str:
    """`train` or `validation`, by hash of the group of near-duplicates, which for most videos is the video itself.

    So all clips of a recording stay together, in whichever files they are, and other videos do not matter.
    """
    draw = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8]) / 2**64
    return "validation" if draw < validation_fraction else "train"
