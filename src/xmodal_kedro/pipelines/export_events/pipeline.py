"""The pipeline `export_events`: what `embed` found, as files of other tools."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import export_events


def create_pipeline(**_kwargs: object) -> Pipeline:
    """recording_embeddings -> event_files"""
    return Pipeline(
        [
            Node(
                export_events,
                inputs=["recording_embeddings", "params:export_events"],
                outputs="event_files",
                name="export_events",
            )
        ]
    )
