"""The pipeline `label_check`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import evaluate_labels, find_true_clips, report_check


def create_pipeline(**_kwargs: object) -> Pipeline:
    """truth, videos, clips, all labels -> clip_truth, label_quality, label_reliability, report"""
    classes = ["candidate_classes", "label_classes", "sound_ontology"]
    return Pipeline(
        [
            Node(
                find_true_clips,
                inputs=["truth", "videos", "clips", *classes],
                outputs=["clip_truth", "class_meaning"],
                name="find_true_clips",
            ),
            Node(
                evaluate_labels,
                inputs=[
                    "clip_truth",
                    "class_meaning",
                    "visual_labels",
                    "audio_labels",
                    "labels",
                    "label_vocabulary",
                    "params:merge_labels",
                ],
                outputs=["label_quality", "label_reliability"],
                name="evaluate_labels",
            ),
            Node(
                report_check,
                inputs=["label_quality", "label_reliability", "clip_truth"],
                outputs=["label_check_metrics", "label_calibration", "label_check_report"],
                name="report_check",
            ),
        ]
    )
