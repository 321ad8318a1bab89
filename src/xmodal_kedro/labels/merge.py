"""Merging two teachers' labels of a shard into training targets."""

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
    best_labels,
    matched_labels,
    stored_labels,
    supported,
    targets_of,
    under_rate,
    used_teachers,
)
from xmodal_kedro.labels.selection import DRAWS_PER_HALVING, ShardClips
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import LABELS_ARROW
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards
from xmodal_kedro.storage.cached_pickle import Shared


@dataclass(frozen=True)
class ChosenClasses(Shared):
    """The part of the vocabulary that targets depend on.

    Attributes:
        class_of: index of each candidate's class, -1 if it is not in the vocabulary [candidates].
        first_draw: lowest draw of clips at which each candidate is kept; 0 for a class that is not capped [candidates].
    """

    class_of: Indices
    first_draw: Indices

    @classmethod
    def of(cls, vocabulary: pd.DataFrame, candidates: Sequence[str]) -> ChosenClasses:
        """From `LabelVocabulary` and the names of the candidates."""
        rows = pd.Index(candidates).get_indexer(pd.Index(vocabulary["name"]))
        class_of = np.full(len(candidates), -1)
        class_of[rows] = vocabulary["index"]
        first_draw = np.zeros(len(candidates), np.int64)
        first_draw[rows] = (-np.log2(vocabulary["kept_share"]) * DRAWS_PER_HALVING).round()
        return cls(class_of, first_draw)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of both attributes."""
        return hashlib.sha256(repr((self.class_of.tolist(), self.first_draw.tolist())).encode()).hexdigest()


def merge_jobs(
    clips: Shards,
    visual: Shards,
    audio: Shards,
    plan: MergePlan,
    vocabulary: pd.DataFrame,
    near_duplicates: pd.DataFrame,
) -> ShardJobs:
    """One job for each shard.

    A job gets only what can change its targets: not the vocabulary's counts, and only the groups of its own videos. So
    new clips and near-duplicates elsewhere do not make other shards be made again.

    Raises:
        UserError: naming the dataset and the shard, if clips and labels do not have the same shards.
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
    """The training targets of one shard, one row for each clip, in the order of the clips.

    A clip without a label in the vocabulary has empty targets. The metadata holds the number of `clips`, the number of
    those with a target (`targeted`), and as JSON in `review` the sums of `MergeReport.summary`.

    Args:
        key: key of the shard.
        clips: the clips.
        teachers: label shards of the same clips by modality.
        plan: turns labels into targets.
        chosen: the targets that count.
        group_of: group of near-duplicates by video, for videos that are in one.
        weighting: `merge_labels.targets`.
        validation_fraction: share of videos held out.

    Raises:
        UserError: naming a shard whose labels and clips are not from the same run.
    """
    shard = ShardClips.of(clips, plan.params.drop_seen_on_stills)
    report = MergeReport(shard, plan, chosen.class_of >= 0)
    labels = {}
    for modality, stored in stored_labels(key, shard, teachers).items():
        best = best_labels(stored, modality, plan)
        matched = matched_labels(best, modality, plan)
        labels[modality] = under_rate(matched, modality, shard, plan)
        report.add_labels(modality, stored, best, matched, labels[modality])
    is_supported = supported(labels, len(shard), plan)
    passed = agreed(labels, is_supported, shard, plan)
    report.add_agreement(labels, is_supported, passed)
    targets = _in_vocabulary(targets_of(passed, plan), shard, chosen)
    report.add_targets(targets)
    merged = _table(shard, targets, chosen, group_of, weighting, validation_fraction)
    targeted = len(np.unique(targets.selected.clip))
    return merged.replace_schema_metadata(
        {
            "clips": str(len(shard)),
            "targeted": str(targeted),
            "review": json.dumps(report.summary(), sort_keys=True),
        }
    )


def _in_vocabulary(targets: ClipTargets, clips: ShardClips, chosen: ChosenClasses) -> ClipTargets:
    """Targets whose candidate is in the vocabulary and under its cap."""
    selected = targets.selected
    is_class = chosen.class_of[selected.index] >= 0
    return targets.where(is_class & (clips.draw_bin[selected.clip] >= chosen.first_draw[selected.index]))


def _table(
    clips: ShardClips,
    targets: ClipTargets,
    chosen: ChosenClasses,
    group_of: Mapping[str, str],
    weighting: str,
    validation_fraction: float,
) -> pa.Table:
    selected = targets.selected
    offsets = np.concatenate([[0], np.cumsum(np.bincount(selected.clip, minlength=len(clips)))])
    # Candidates and classes are both ordered by name, so the targets of a clip stay in order.
    index = chosen.class_of[selected.index]
    weights = selected.score if weighting == "soft" else np.ones(len(selected), np.float32)
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
    """`train` or `validation`, by a hash of the group of near-duplicates; the group of most videos is the video itself.

    So all clips of a recording are assigned to one split, whichever files they come from. The split of a video does not
    depend on other videos.
    """
    draw = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8]) / 2**64
    return "validation" if draw < validation_fraction else "train"
