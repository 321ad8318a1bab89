"""Two teachers' labels of a shard become its training targets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
import pyarrow as pa

from xmodal_kedro.labels.accounting import MergeReport
from xmodal_kedro.labels.class_map import Indices
from xmodal_kedro.labels.counts import require_same_keys
from xmodal_kedro.labels.plan import (
    ClipTargets,
    MergePlan,
    agreed,
    stored_labels,
    supported,
    targets_of,
    under_rate,
    used_teachers,
)
from xmodal_kedro.labels.selection import DRAWS_PER_HALVING, ShardClips, match, select_best
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import LABELS_ARROW
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards
from xmodal_kedro.storage.cached_pickle import Shared


@dataclass(frozen=True)
class ChosenClasses(Shared):
    """The vocabulary, as far as it changes targets.

    Attributes:
        class_of: index of the class that each candidate is, -1 where it is none [candidates].
        first_draw: from which draw of clips on each candidate is kept; all but for a class that is capped [candidates].
    """

    class_of: Indices
    first_draw: Indices

    @classmethod
    def of(cls, vocabulary: pd.DataFrame, candidates: Sequence[str]) -> ChosenClasses:
        """From `LabelVocabulary` and the names of the candidates."""
        at = pd.Index(candidates).get_indexer(pd.Index(vocabulary["name"]))
        class_of = np.full(len(candidates), -1)
        class_of[at] = vocabulary["index"]
        first_draw = np.zeros(len(candidates), np.int64)
        first_draw[at] = (-np.log2(vocabulary["kept_share"]) * DRAWS_PER_HALVING).round()
        return cls(class_of, first_draw)

    @cached_property
    def fingerprint(self) -> str:
        """Of both."""
        return hashlib.sha256(repr((self.class_of.tolist(), self.first_draw.tolist())).encode()).hexdigest()


def merge_jobs(
    clips: Shards,
    visual: Shards,
    audio: Shards,
    plan: MergePlan,
    vocabulary: pd.DataFrame,
    near_duplicates: pd.DataFrame,
) -> ShardJobs:
    """One job a shard.

    Jobs are given what can change their targets alone: no counts of a vocabulary, and the groups of their own videos,
    so that clips and near-duplicates elsewhere leave other shards as they are.

    Raises:
        ValueError: naming the dataset and the shard, where clips and labels do not pair up.
    """
    teachers = used_teachers(visual, audio, plan.params)
    require_same_keys({"clips": clips, **{f"{modality}_labels": shards for modality, shards in teachers.items()}})
    group_of = dict(zip(near_duplicates["video_id"], near_duplicates["group_id"], strict=True))
    grouped = members(group_of, clips)
    chosen = ChosenClasses.of(vocabulary, plan.classes.names)
    return {
        key: partial(
            merge_shard,
            key,
            load,
            {name: shards[key] for name, shards in teachers.items()},
            plan,
            chosen,
            {video_id: group_of[video_id] for video_id in grouped[key]},
            plan.params.targets,
            plan.params.validation_fraction,
        )
        for key, load in clips.items()
    }


@recipe("merge_labels", version=1)
def merge_shard(
    key: str,
    clips: LoadShard,
    teachers: Mapping[str, LoadShard],
    plan: MergePlan,
    chosen: ChosenClasses,
    group_of: Mapping[str, str],
    weighting: str,
    validation_fraction: float,
) -> pa.Table:
    """The training targets of one shard, one row a clip, in the order of the clips.

    A clip of which no label is in the vocabulary has empty targets. The metadata counts the `clips` and those
    `targeted`, which have a target; as JSON, `review` tells what became of the labels, see `review.Review`.

    Args:
        key: of the shard.
        clips: the clips.
        teachers: label shards of the same clips by modality.
        plan: what makes targets of labels.
        chosen: which of them count.
        group_of: the group of near-duplicates that a video is in, where it is in one.
        weighting: `merge_labels.targets`.
        validation_fraction: share of videos held out.

    Raises:
        ValueError: naming a shard whose labels and clips are not of one run.
    """
    of = ShardClips.of(clips)
    review = MergeReport(of, plan, chosen.class_of >= 0)
    labels = {}
    for modality, stored in stored_labels(key, of, teachers).items():
        best = select_best(stored, plan.params.of(modality))
        matched = match(best, plan.classes, modality)
        labels[modality] = under_rate(matched, modality, of, plan)
        review.add_labels(modality, stored, best, matched, labels[modality])
    is_supported = supported(labels, len(of), plan)
    passed = agreed(labels, is_supported, plan)
    review.add_agreement(labels, is_supported, passed)
    targets = _in_vocabulary(targets_of(passed, plan), of, chosen)
    review.add_targets(targets)
    merged = _table(of, targets, chosen, group_of, weighting, validation_fraction)
    targeted = len(np.unique(targets.selected.clip))
    told = {"clips": str(len(of)), "targeted": str(targeted), "review": json.dumps(review.summary(), sort_keys=True)}
    return merged.replace_schema_metadata(told)


def _in_vocabulary(targets: ClipTargets, clips: ShardClips, chosen: ChosenClasses) -> ClipTargets:
    """ClipTargets whose candidate is a class, under its cap."""
    found = targets.selected
    is_class = chosen.class_of[found.index] >= 0
    return targets.where(is_class & (clips.draw_bin[found.clip] >= chosen.first_draw[found.index]))


def _table(
    clips: ShardClips,
    targets: ClipTargets,
    chosen: ChosenClasses,
    group_of: Mapping[str, str],
    weighting: str,
    validation_fraction: float,
) -> pa.Table:
    found = targets.selected
    offsets = np.concatenate([[0], np.cumsum(np.bincount(found.clip, minlength=len(clips)))])
    # Candidates and classes are both in the order of their names, so targets of a clip stay in order.
    index = chosen.class_of[found.index]
    weights = found.score if weighting == "soft" else np.ones(len(found), np.float32)
    videos = clips.videos
    split = [
        split_of(group_of.get(video_id, video_id), validation_fraction) for video_id in videos.dictionary.to_pylist()
    ]
    return pa.table(
        [
            clips.clip_ids,
            clips.video_ids,
            pa.array(split, pa.string()).take(videos.indices),
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(index, pa.int32())),
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(weights, pa.float32())),
        ],
        schema=LABELS_ARROW,
    )


def split_of(group_id: str, validation_fraction: float) -> str:
    """`train` or `validation`, by hash of the group of near-duplicates, which for most videos is the video itself.

    So all clips of a recording stay together, in whichever files they are, and other videos do not matter.
    """
    draw = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8]) / 2**64
    return "validation" if draw < validation_fraction else "train"
