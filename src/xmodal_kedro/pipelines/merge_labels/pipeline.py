"""The pipeline `merge_labels`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import build_vocabulary, merge_shards, summarise_labels


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips, near_duplicates, visual_labels, audio_labels -> label_vocabulary, labels, label_histogram"""
    return Pipeline(
        [
            Node(
                build_vocabulary,
                inputs=["visual_labels", "audio_labels", "params:merge_labels"],
                outputs="label_vocabulary",
                name="build_vocabulary",
            ),
            Node(
                merge_shards,
                inputs=[
                    "clips",
                    "visual_labels",
                    "audio_labels",
                    "label_vocabulary",
                    "near_duplicates",
                    "params:merge_labels",
                ],
                outputs="labels",
                name="merge_shards",
            ),
            Node(
                summarise_labels,
                inputs=["label_vocabulary", "labels", "visual_labels", "audio_labels"],
                outputs="label_histogram",
                name="summarise_labels",
            ),
        ]
    )
