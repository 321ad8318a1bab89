"""The pipeline `audio_label`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import label_audio


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips -> audio_labels"""
    return Pipeline(
        [
            Node(
                label_audio,
                inputs=["clips", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="audio_labels",
                name="label_audio",
            ),
        ]
    )
