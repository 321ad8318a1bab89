"""The pipeline `visual_label`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import embed_frames, embed_frames_for_prompts, embed_visual_prompts, label_frames, list_visual_classes


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips -> visual_labels, visual_teacher_embeddings; the teacher -> visual_classes"""
    return Pipeline(
        [
            Node(
                embed_frames_for_prompts,
                inputs=["clips", "visual_teacher_files", "params:visual_teacher", "params:visual_label"],
                outputs="visual_clip_embeddings",
                name="embed_frames_for_prompts",
            ),
            Node(
                embed_visual_prompts,
                inputs=[
                    "visual_clip_embeddings",
                    "visual_teacher_files",
                    "params:visual_teacher",
                    "params:visual_label",
                ],
                outputs="visual_prompts",
                name="embed_visual_prompts",
            ),
            Node(
                label_frames,
                inputs=[
                    "clips",
                    "visual_clip_embeddings",
                    "visual_prompts",
                    "visual_teacher_files",
                    "params:visual_teacher",
                    "params:visual_label",
                ],
                outputs="visual_labels",
                name="label_frames",
            ),
            Node(
                embed_frames,
                inputs=[
                    "clips",
                    "visual_clip_embeddings",
                    "visual_teacher_files",
                    "params:visual_teacher",
                    "params:visual_label",
                ],
                outputs="visual_teacher_embeddings",
                name="embed_frames",
            ),
            Node(
                list_visual_classes,
                inputs=["visual_teacher_files", "params:visual_teacher"],
                outputs="visual_classes",
                name="list_visual_classes",
            ),
        ]
    )
