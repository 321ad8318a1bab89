"""How often each class occurs, as a picture."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.summary import LabelSummary, labelled
from xmodal_kedro.reports.html import ACCENT, WARM

TOP_CLASSES = 40
GIVEN = {"visual": "seen", "audio": "heard", "both": "seen and heard"}
COLOURS = {"visual": ACCENT, "audio": WARM, "both": "#6a9a5b"}


def label_histogram(vocabulary: pd.DataFrame, summary: LabelSummary) -> go.Figure:
    """Horizontal bars of the most frequent classes, coloured by who names them.

    The title says how many clips each teacher labelled, and how many have a training target.
    """
    title = (
        f"{len(vocabulary)} classes over {summary['clips']:,} clips: {labelled(summary, 'visual'):,} labelled by "
        f"sight, {labelled(summary, 'audio'):,} by ear, {summary['targeted']:,} with a target"
    )
    top = vocabulary.sort_values(["clip_count", "name"], ascending=[False, True]).head(TOP_CLASSES)
    figure = go.Figure(
        [
            go.Bar(
                x=bars["clip_count"].tolist(),
                y=bars["name"].tolist(),
                orientation="h",
                name=GIVEN[modality],
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
