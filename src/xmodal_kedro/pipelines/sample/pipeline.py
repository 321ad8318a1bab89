"""The pipeline `sample`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import draw_benchmark, draw_labelled, draw_videos, train_audio_teacher, train_visual_teacher


def create_pipeline(**_kwargs: object) -> Pipeline:
    """params -> source_videos, truth, visual_teacher_files, audio_teacher_files, benchmark_files, labelled_files"""
    return Pipeline(
        [
            Node(draw_videos, inputs="params:sample", outputs=["source_videos", "truth"], name="draw_videos"),
            Node(
                train_visual_teacher,
                inputs=["params:sample", "params:visual_teacher"],
                outputs="visual_teacher_files",
                name="train_visual_teacher",
            ),
            Node(
                train_audio_teacher,
                inputs=["params:sample", "params:audio_teacher"],
                outputs="audio_teacher_files",
                name="train_audio_teacher",
            ),
            Node(draw_benchmark, inputs="params:sample", outputs="benchmark_files", name="draw_benchmark"),
            Node(draw_labelled, inputs="params:sample", outputs="labelled_files", name="draw_labelled"),
        ]
    )
