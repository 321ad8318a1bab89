"""The pipeline `review`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import choose_questions, pool_samples, sample_labels, write_review_page


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips, their labels, answers so far -> review_questions, review_page"""
    return Pipeline(
        [
            Node(
                sample_labels,
                inputs=[
                    *("clips", "visual_labels", "audio_labels", "candidate_classes", "label_classes"),
                    *("label_vocabulary", "params:merge_labels", "params:review"),
                ],
                outputs="review_samples",
                name="sample_labels",
            ),
            Node(
                pool_samples,
                inputs=["review_samples", "params:review"],
                outputs="review_pool",
                name="pool_samples",
            ),
            Node(
                choose_questions,
                inputs=[
                    *("review_pool", "review_answers", "earlier_suspects", "clips", "audio_teacher_files"),
                    *("params:audio_teacher", "params:audio_label", "params:review"),
                ],
                outputs="review_questions",
                name="choose_questions",
            ),
            Node(
                write_review_page,
                inputs=["review_questions", "clips", "videos", "candidate_classes"],
                outputs="review_page",
                name="write_review_page",
            ),
        ]
    )
