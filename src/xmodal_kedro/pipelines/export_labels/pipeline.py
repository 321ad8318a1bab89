"""The pipeline `export_labels`: what a network learns from, as files of other tools."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import export_labels


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips, labels -> label_files"""
    return Pipeline(
        [
            Node(
                export_labels,
                inputs=["clips", "labels", "label_vocabulary", "videos", "params:export_labels"],
                outputs="label_files",
                name="export_labels",
            )
        ]
    )
