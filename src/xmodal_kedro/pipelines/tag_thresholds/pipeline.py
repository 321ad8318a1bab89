"""The pipeline `tag_thresholds`: a trained network and the answers of reviewers to thresholds for tagging."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import find_tag_thresholds


def create_pipeline(**_kwargs: object) -> Pipeline:
    """weights, reviewed clips -> model_thresholds"""
    return Pipeline(
        [
            Node(
                find_tag_thresholds,
                inputs=[
                    *("model_weights", "model_card", "confirmed_clips"),
                    *("reviewed_clips", "review_pool", "params:review"),
                ],
                outputs="model_thresholds",
                name="find_tag_thresholds",
            )
        ]
    )
