"""The pipeline `audio_label`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import (
    embed_audio,
    embed_audio_for_prompts,
    embed_audio_prompts,
    label_audio,
    list_audio_classes,
    score_audio_views,
)


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips -> audio_labels, teacher_embeddings, teacher_views; the teacher -> audio_classes, sound_ontology"""
    return Pipeline(
        [
            Node(
                embed_audio_for_prompts,
                inputs=["clips", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="audio_clip_embeddings",
                name="embed_audio_for_prompts",
            ),
            Node(
                embed_audio_prompts,
                inputs=["audio_clip_embeddings", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="audio_prompts",
                name="embed_audio_prompts",
            ),
            Node(
                label_audio,
                inputs=[
                    "clips",
                    "audio_clip_embeddings",
                    "audio_prompts",
                    "audio_teacher_files",
                    "params:audio_teacher",
                    "params:audio_label",
                ],
                outputs="audio_labels",
                name="label_audio",
            ),
            Node(
                embed_audio,
                inputs=[
                    "clips",
                    "audio_clip_embeddings",
                    "audio_teacher_files",
                    "params:audio_teacher",
                    "params:audio_label",
                ],
                outputs="teacher_embeddings",
                name="embed_audio",
            ),
            Node(
                score_audio_views,
                inputs=["clips", "audio_teacher_files", "params:audio_teacher", "params:audio_label"],
                outputs="teacher_views",
                name="score_audio_views",
            ),
            Node(
                list_audio_classes,
                inputs=["audio_teacher_files", "params:audio_teacher"],
                outputs=["audio_classes", "sound_ontology"],
                name="list_audio_classes",
            ),
        ]
    )
