"""The `ingest` pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_videos, probe_sources


def create_pipeline(**_kwargs: object) -> Pipeline:
    """source_videos -> videos, rejected_videos"""
    return Pipeline(
        [
            Node(probe_sources, inputs=["source_videos", "params:ingest"], outputs="probes", name="probe_sources"),
            Node(
                collect_videos,
                inputs=["probes", "source_videos"],
                outputs=["videos", "rejected_videos"],
                name="collect_videos",
            ),
        ]
    )
