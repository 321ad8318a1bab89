"""Nodes of `merge_labels`."""

from __future__ import annotations

from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, ShardJobs, Shards


def match_classes(
    visual_classes: DataFrame, audio_classes: DataFrame, sound_ontology: DataFrame, merge_labels: MergeParams
) -> tuple[DataFrame, DataFrame]:
    """Find which classes of the teachers are one: `candidate_classes` and `label_classes`."""
    from xmodal_kedro.labels.match import match_classes as match

    return match(visual_classes, audio_classes, sound_ontology, merge_labels)


def survey_labels(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    merge_labels: MergeParams,
) -> ShardJobs:
    """Count scores, and classes that occur together, over groups of shards."""
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import survey_jobs
    from xmodal_kedro.labels.plan import MergePlan

    plan = MergePlan.before_the_survey(ClassMap.of(candidate_classes, label_classes), merge_labels)
    return survey_jobs(clips, visual_labels, audio_labels, plan)


def plan_merge(
    label_survey: Shards, candidate_classes: DataFrame, label_classes: DataFrame, merge_labels: MergeParams
) -> tuple[DataFrame, DataFrame]:
    """From which score on a class counts, and which classes belong together: thresholds and associations."""
    from xmodal_kedro.labels import associations
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import LabelCounter

    survey, classes = LabelCounter.sum_of(label_survey), ClassMap.of(candidate_classes, label_classes)
    thresholds = associations.class_thresholds(survey, classes, merge_labels)
    return thresholds, associations.class_associations(survey, classes, merge_labels)


def count_targets(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    class_thresholds: DataFrame,
    class_associations: DataFrame,
    merge_labels: MergeParams,
) -> ShardJobs:
    """Count the targets that the plan makes, over groups of shards, where the survey could not tell them."""
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import target_jobs
    from xmodal_kedro.labels.plan import MergePlan

    classes = ClassMap.of(candidate_classes, label_classes)
    plan = MergePlan.of(classes, merge_labels, class_thresholds, class_associations)
    return target_jobs(clips, visual_labels, audio_labels, plan)


def build_vocabulary(
    label_survey: Shards,
    target_counts: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    merge_labels: MergeParams,
) -> tuple[DataFrame, DataFrame]:
    """Choose the classes of enough clips: `label_vocabulary` and `dropped_classes`."""
    from xmodal_kedro.labels import vocabulary
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import LabelCounter

    survey = LabelCounter.sum_of(label_survey)
    targets = LabelCounter.sum_of(target_counts) if target_counts else survey
    classes = ClassMap.of(candidate_classes, label_classes)
    return vocabulary.build_vocabulary(survey, targets, classes, merge_labels)


def merge_shards(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    class_thresholds: DataFrame,
    class_associations: DataFrame,
    label_vocabulary: DataFrame,
    near_duplicates: DataFrame,
    merge_labels: MergeParams,
) -> ShardJobs:
    """Write the training targets, shard by shard; near-duplicates fall on one side of the split."""
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.merge import merge_jobs
    from xmodal_kedro.labels.plan import MergePlan

    classes = ClassMap.of(candidate_classes, label_classes)
    plan = MergePlan.of(classes, merge_labels, class_thresholds, class_associations)
    return merge_jobs(clips, visual_labels, audio_labels, plan, label_vocabulary, near_duplicates)
