"""The pipeline `audio_label`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import embed_audio, label_audio, list_audio_classes


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips -> audio_labels, teacher_embeddings; the teacher -> audio_classes, sound_ontology"""
    return Pipeline(
        [
            Node(
                label_audio,
                inputs=["clips", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="audio_labels",
                name="label_audio",
            ),
            Node(
                embed_audio,
                inputs=["clips", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="teacher_embeddings",
                name="embed_audio",
            ),
            Node(
                list_audio_classes,
                inputs=["audio_teacher_files", "params:audio_teacher"],
                outputs=["audio_classes", "sound_ontology"],
                name="list_audio_classes",
            ),
        ]
    )
