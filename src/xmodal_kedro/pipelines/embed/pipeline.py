"""The pipeline `embed`: embeddings and tags of recordings over time, by a trained network."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import embed_recordings, gather_unheard, report_recordings


def create_pipeline(**_kwargs: object) -> Pipeline:
    """source_videos, weights -> recording_embeddings, unheard_recordings, embed_report"""
    return Pipeline(
        [
            Node(
                embed_recordings,
                inputs=["source_videos", "model_weights", "model_card", "model_thresholds", "params:embed"],
                outputs="recording_embeddings",
                name="embed_recordings",
            ),
            Node(
                gather_unheard,
                inputs=["recording_embeddings", "source_videos"],
                outputs="unheard_recordings",
                name="gather_unheard",
            ),
            Node(
                report_recordings,
                inputs=[
                    "recording_embeddings",
                    "unheard_recordings",
                    "example_files",
                    "source_videos",
                    "model_weights",
                    "model_card",
                    "params:embed",
                ],
                outputs="embed_report",
                name="report_recordings",
            ),
        ]
    )
