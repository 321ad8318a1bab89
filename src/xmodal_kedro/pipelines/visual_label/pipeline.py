"""The pipeline `visual_label`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import label_frames


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips -> visual_labels"""
    return Pipeline(
        [
            Node(
                label_frames,
                inputs=["clips", "visual_teacher_files", "params:visual_teacher", "params:visual_label"],
                outputs="visual_labels",
                name="label_frames",
            ),
        ]
    )
