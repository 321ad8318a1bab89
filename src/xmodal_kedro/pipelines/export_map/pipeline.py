"""The pipeline `export_map`: embedded windows to look at and listen to."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import export_map


def create_pipeline(**_kwargs: object) -> Pipeline:
    """recording_embeddings, source_videos -> map_windows"""
    return Pipeline(
        [
            Node(
                export_map,
                inputs=["recording_embeddings", "source_videos", "params:export_map"],
                outputs="map_windows",
                name="export_map",
            )
        ]
    )
