"""The `clip` pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import clip_videos, gather_unclipped


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Usable videos to shards of clips, and the table of videos that gave none."""
    return Pipeline(
        [
            Node(clip_videos, inputs=["videos", "source_videos", "params:clip"], outputs="clips", name="clip_videos"),
            Node(gather_unclipped, inputs=["clips", "videos"], outputs="unclipped_videos", name="gather_unclipped"),
        ]
    )
