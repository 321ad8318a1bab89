"""Nodes of `merge_labels`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, ShardJobs, Shards


def survey_labels(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    precision_thresholds: DataFrame,
    merge_labels: MergeParams,
) -> ShardJobs:
    """Count scores and co-occurring classes over groups of shards."""
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import survey_jobs
    from xmodal_kedro.labels.limits import score_limits
    from xmodal_kedro.labels.plan import MergePlan

    classes = ClassMap.of(candidate_classes, label_classes)
    limits = score_limits(precision_thresholds, classes, merge_labels)
    plan = MergePlan.before_the_survey(classes, merge_labels, limits)
    return survey_jobs(clips, visual_labels, audio_labels, plan)


def plan_merge(
    label_survey: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    precision_thresholds: DataFrame,
    merge_labels: MergeParams,
) -> tuple[DataFrame, DataFrame, Any]:
    """The threshold of each class, the associations of classes, and the merge plan from both."""
    from xmodal_kedro.labels import associations
    from xmodal_kedro.labels.class_map import ClassMap

    classes = ClassMap.of(candidate_classes, label_classes)
    return associations.plan_from_survey(label_survey, classes, merge_labels, precision_thresholds)


def count_targets(clips: Shards, visual_labels: Shards, audio_labels: Shards, merge_plan: Any) -> ShardJobs:
    """Count the targets that the plan makes, over groups of shards, unless the survey holds these counts."""
    from xmodal_kedro.labels.counts import target_jobs

    return target_jobs(clips, visual_labels, audio_labels, merge_plan)


def build_vocabulary(label_survey: Shards, target_counts: Shards, merge_plan: Any) -> tuple[DataFrame, DataFrame]:
    """Choose the classes with enough clips: `label_vocabulary` and `dropped_classes`."""
    from xmodal_kedro.labels.vocabulary import planned_vocabulary

    return planned_vocabulary(label_survey, target_counts, merge_plan)


def merge_shards(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    merge_plan: Any,
    label_vocabulary: DataFrame,
    near_duplicates: DataFrame,
) -> ShardJobs:
    """Write the training targets, shard by shard; near-duplicates are assigned to one split."""
    from xmodal_kedro.labels.merge import merge_jobs

    return merge_jobs(clips, visual_labels, audio_labels, merge_plan, label_vocabulary, near_duplicates)
