"""The pipeline `review_results`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import combine_answers, confirm_truth, estimate_precision, find_suspects, keep_confirmed, report_review


def create_pipeline(**_kwargs: object) -> Pipeline:
    """review_answers, review_pool, clips -> what they show of labels, thresholds, suspects, confirmed clips, page"""
    return Pipeline(
        [
            Node(
                combine_answers,
                inputs=["review_answers", "clips"],
                outputs=["reviewed_clips", "reviewer_agreement"],
                name="combine_answers",
            ),
            Node(
                estimate_precision,
                inputs=["review_pool", "reviewed_clips", "params:review"],
                outputs=["class_precision", "precision_thresholds"],
                name="estimate_precision",
            ),
            Node(
                find_suspects,
                inputs=[
                    *("review_pool", "reviewed_clips", "clips", "audio_teacher_files"),
                    *("params:audio_teacher", "params:audio_label", "params:review"),
                ],
                outputs="review_suspects",
                name="find_suspects",
            ),
            Node(
                confirm_truth,
                inputs=[
                    *("reviewed_clips", "clips", "videos", "visual_labels", "audio_labels"),
                    *("candidate_classes", "label_classes", "params:merge_labels"),
                ],
                outputs="reviewed_truth",
                name="confirm_truth",
            ),
            Node(
                keep_confirmed,
                inputs=["reviewed_clips", "clips"],
                outputs="confirmed_clips",
                name="keep_confirmed",
            ),
            Node(
                report_review,
                inputs=[
                    *("class_precision", "precision_thresholds", "reviewed_clips", "reviewer_agreement"),
                    *("review_suspects", "clips", "videos", "params:review"),
                ],
                outputs=["review_metrics", "review_results_page"],
                name="report_review",
            ),
        ]
    )
