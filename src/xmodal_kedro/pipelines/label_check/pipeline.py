"""The pipeline `label_check`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import find_true_clips, judge_labels, relate_classes, summarise_check


def create_pipeline(**_kwargs: object) -> Pipeline:
    """truth, videos, clips, labels of all kinds -> clip_truth, label_quality, label_reliability, metrics, plot, page"""
    return Pipeline(
        [
            Node(
                relate_classes,
                inputs=["candidate_classes", "label_classes", "sound_ontology"],
                outputs="class_meaning",
                name="relate_classes",
            ),
            Node(
                find_true_clips,
                inputs=["truth", "videos", "clips", "class_meaning"],
                outputs="clip_truth",
                name="find_true_clips",
            ),
            Node(
                judge_labels,
                inputs=[
                    "clip_truth",
                    "visual_labels",
                    "audio_labels",
                    "labels",
                    "label_vocabulary",
                    "class_meaning",
                    "params:merge_labels",
                ],
                outputs=["label_quality", "label_reliability"],
                name="judge_labels",
            ),
            Node(
                summarise_check,
                inputs=["label_quality", "label_reliability", "clip_truth"],
                outputs=["label_check_metrics", "label_calibration", "label_check_report"],
                name="summarise_check",
            ),
        ]
    )
