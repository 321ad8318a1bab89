"""The pipeline `merge_labels`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from xmodal_kedro.labels.match import match_classes

from .nodes import (
    build_vocabulary,
    count_targets,
    merge_shards,
    plan_merge,
    survey_labels,
)
from .report_nodes import (
    describe_labels,
    list_labels,
    plot_labels,
    read_shown_clips,
    summarise_labels,
    write_label_report,
)

LABELS = ("clips", "visual_labels", "audio_labels")
CLASSES = ("candidate_classes", "label_classes")
PLAN = ("class_thresholds", "class_associations")
PLOTS = ("label_histogram", "label_scores", "association_matrix")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """visual_labels, audio_labels -> label_vocabulary, labels, and their report"""
    return Pipeline(
        [
            Node(
                match_classes,
                inputs=["visual_classes", "audio_classes", "sound_ontology", "params:merge_labels"],
                outputs=list(CLASSES),
                name="match_classes",
            ),
            Node(
                survey_labels,
                inputs=[*LABELS, *CLASSES, "earlier_thresholds", "params:merge_labels"],
                outputs="label_survey",
                name="survey_labels",
            ),
            Node(
                plan_merge,
                inputs=["label_survey", *CLASSES, "earlier_thresholds", "params:merge_labels"],
                outputs=[*PLAN, "merge_plan"],
                name="plan_merge",
            ),
            Node(
                count_targets,
                inputs=[*LABELS, "merge_plan"],
                outputs="target_counts",
                name="count_targets",
            ),
            Node(
                build_vocabulary,
                inputs=["label_survey", "target_counts", "merge_plan"],
                outputs=["label_vocabulary", "dropped_classes"],
                name="build_vocabulary",
            ),
            Node(
                merge_shards,
                inputs=[*LABELS, "merge_plan", "label_vocabulary", "near_duplicates"],
                outputs="labels",
                name="merge_shards",
            ),
            Node(
                summarise_labels,
                inputs=["labels", "visual_labels", "audio_labels", "label_vocabulary", "dropped_classes"],
                outputs=["label_summary", "label_metrics"],
                name="summarise_labels",
            ),
            Node(
                plot_labels,
                inputs=[
                    "label_vocabulary",
                    "label_summary",
                    "label_survey",
                    "class_associations",
                    "params:merge_labels",
                ],
                outputs=list(PLOTS),
                name="plot_labels",
            ),
            Node(
                read_shown_clips,
                inputs=[*LABELS, "labels", "label_vocabulary", "videos", "label_summary", "params:merge_labels"],
                outputs=["shown_clips", "contact_sheet"],
                name="read_shown_clips",
            ),
            Node(
                list_labels,
                inputs=[*LABELS, "videos", "merge_plan", "params:merge_labels"],
                outputs="labels_by_recording",
                name="list_labels",
            ),
            Node(
                describe_labels,
                inputs=[
                    "label_summary",
                    "label_metrics",
                    "label_vocabulary",
                    "candidate_classes",
                    "dropped_classes",
                    *PLAN,
                    "params:merge_labels",
                ],
                outputs="label_description",
                name="describe_labels",
            ),
            Node(
                write_label_report,
                inputs=["label_description", "shown_clips", *PLOTS],
                outputs="label_report",
                name="write_label_report",
            ),
        ]
    )
