"""How often each class occurs, as a picture."""

from __future__ import annotations

import json

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.handles import Shards

TOP_CLASSES = 40
COLOURS = {"visual": "#4c78a8", "audio": "#f58518", "both": "#54a24b"}


def label_histogram(vocabulary: pd.DataFrame, labels: Shards, visual: Shards, audio: Shards) -> go.Figure:
    """Horizontal bars of the most frequent classes, coloured by who names them.

    The title says how many clips each teacher labelled, and how many have a training target.
    """
    clips = _total(labels, "clips")
    title = (
        f"{len(vocabulary)} classes over {clips:,} clips: {_labelled(visual):,} labelled by sight, "
        f"{_labelled(audio):,} by ear, {_total(labels, 'targeted'):,} with a target"
    )
    top = vocabulary.sort_values(["clip_count", "name"], ascending=[False, True]).head(TOP_CLASSES)
    figure = go.Figure(
        [
            go.Bar(
                x=bars["clip_count"].tolist(),
                y=bars["name"].tolist(),
                orientation="h",
                name=modality,
                marker_color=colour,
            )
            for modality, colour in COLOURS.items()
            if len(bars := top[top["modality"] == modality])
        ]
    )
    figure.update_layout(
        title=title,
        xaxis_title="clips",
        yaxis={"categoryorder": "array", "categoryarray": top["name"].tolist()[::-1], "dtick": 1},
        height=160 + 18 * len(top),
        template="plotly_white",
        barmode="stack",
    )
    return figure


def _total(shards: Shards, key: str) -> int:
    return sum(int(shard.metadata[key]) for shard in shards.values())


def _labelled(shards: Shards) -> int:
    unlabelled = sum(sum(json.loads(shard.metadata["unlabelled"]).values()) for shard in shards.values())
    return _total(shards, "clips") - unlabelled
