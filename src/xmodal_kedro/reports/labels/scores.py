"""How sure the teachers are, as a picture."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmodal_kedro.labels.counts import LabelCounter
from xmodal_kedro.labels.selection import DRAWS_PER_LEVEL, SCORE_LEVELS
from xmodal_kedro.labels.summary import MODALITIES
from xmodal_kedro.reports.labels.histogram import COLOURS
from xmodal_kedro.storage import Shards

BARS = 32
"""Steps of score that are drawn."""


def count_scores(survey: Shards) -> dict[str, NDArray[np.int64]]:
    """By modality, how many labels have a score in each of `BARS` steps from 0 to 1.

    Args:
        survey: `LabelCounts`; of labels over the threshold, among the best of their clip.
    """
    counter = LabelCounter.sum_of(survey)
    counts = {}
    for modality in MODALITIES:
        _, bins, clips = counter.of("scores", modality)
        step = bins // DRAWS_PER_LEVEL * BARS // SCORE_LEVELS
        counts[modality] = np.bincount(step, clips, BARS).astype(np.int64)
    return counts


def plot_scores(survey: Shards) -> go.Figure:
    """Share of each modality's labels by score."""
    edges = np.linspace(0, 1, BARS + 1)
    figure = go.Figure()
    for modality, count in count_scores(survey).items():
        if not count.any():
            continue
        shares = count / count.sum()
        figure.add_scatter(
            x=edges.tolist(),
            y=[*shares.tolist(), float(shares[-1])],
            customdata=[*count.tolist(), int(count[-1])],
            name=f"{MODALITIES[modality]} ({count.sum():,} labels)",
            line={"shape": "hv", "color": COLOURS[modality], "width": 2},
            fill="tozeroy",
            opacity=0.8,
            hovertemplate="score from %{x:.2f}: %{customdata:,} labels (%{y:.1%})<extra></extra>",
        )
    figure.update_xaxes(title="score", range=[0, 1])
    figure.update_yaxes(title="share of labels", tickformat=".0%", rangemode="tozero")
    figure.update_layout(title="Scores of the labels that count", template="plotly_white", height=340)
    return figure
