"""The `clip` pipeline."""

from kedro.pipeline import Node, Pipeline

from .near_duplicates import group_near_duplicates, sign_videos
from .nodes import clip_videos, gather_unclipped, plot_sources


def create_pipeline(**_kwargs: object) -> Pipeline:
    """videos -> clips, and tables of unclipped, cut short and near-duplicate videos"""
    return Pipeline(
        [
            Node(
                clip_videos,
                inputs=["videos", "source_videos", "params:clip", "params:ingest"],
                outputs="clips",
                name="clip_videos",
            ),
            Node(
                gather_unclipped,
                inputs=["clips", "videos"],
                outputs=["unclipped_videos", "cut_short_videos"],
                name="gather_unclipped",
            ),
            Node(sign_videos, inputs="clips", outputs="signatures", name="sign_videos"),
            Node(
                group_near_duplicates,
                inputs=["signatures", "videos", "params:near_duplicates"],
                outputs="near_duplicates",
                name="group_near_duplicates",
            ),
            Node(
                plot_sources,
                inputs=["videos", "rejected_videos", "unclipped_videos", "cut_short_videos"],
                outputs="source_outcomes",
                name="plot_sources",
            ),
        ]
    )
