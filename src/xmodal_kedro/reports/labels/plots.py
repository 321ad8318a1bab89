"""Plots of the labels: how often each class occurs, how high scores are, which classes occur together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmodal_kedro.labels.counts import LabelCounter
from xmodal_kedro.labels.plan import MODALITIES
from xmodal_kedro.labels.selection import DRAWS_PER_LEVEL, SCORE_LEVELS
from xmodal_kedro.labels.summary import LabelSummary, labelled
from xmodal_kedro.params import AgreementParams
from xmodal_kedro.reports import html
from xmodal_kedro.storage import Shards

TOP_CLASSES = 40
COLOURS = {"visual": html.ACCENT, "audio": html.WARM, "both": "#6a9a5b"}
BARS = 32
"""Steps of score that are drawn."""
MATRIX_SIDE = 24
"""Maximum of classes of a modality in the matrix."""


def label_histogram(vocabulary: pd.DataFrame, summary: LabelSummary) -> go.Figure:
    """Horizontal bars of the most frequent classes, coloured by the teachers that name them.

    The title says how many clips each teacher labelled, and how many have a training target.
    """
    title = (
        f"{len(vocabulary)} classes over {summary['clips']:,} clips: {labelled(summary, 'visual'):,} labelled by the "
        f"visual teacher, {labelled(summary, 'audio'):,} by the audio teacher, {summary['targeted']:,} with a target"
    )
    top = vocabulary.sort_values(["clip_count", "name"], ascending=[False, True]).head(TOP_CLASSES)
    figure = go.Figure()
    for modality, colour in COLOURS.items():
        if len(bars := top[top["modality"] == modality]):
            x, y = bars["clip_count"].tolist(), bars["name"].tolist()
            figure.add_bar(x=x, y=y, orientation="h", name=modality, marker_color=colour)
    figure.update_layout(
        title=title,
        xaxis_title="clips",
        yaxis={"categoryorder": "array", "categoryarray": top["name"].tolist()[::-1], "dtick": 1},
        height=160 + 18 * len(top),
        template="plotly_white",
        barmode="stack",
    )
    return figure


def count_scores(survey: Shards) -> dict[str, NDArray[np.int64]]:
    """By modality, how many labels have a score in each of `BARS` steps from 0 to 1.

    Args:
        survey: `LabelCounts`; of labels over the threshold, among the best of their clip.
    """
    counter = LabelCounter.sum_of(survey, ("scores",))
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
            name=f"{modality} teacher ({count.sum():,} labels)",
            line={"shape": "hv", "color": COLOURS[modality], "width": 2},
            fill="tozeroy",
            opacity=0.8,
            hovertemplate="score from %{x:.2f}: %{customdata:,} labels (%{y:.1%})<extra></extra>",
        )
    figure.update_xaxes(title="score", range=[0, 1])
    figure.update_yaxes(title="share of labels", tickformat=".0%", rangemode="tozero")
    figure.update_layout(title="Scores of the labels that count", template="plotly_white", height=340)
    return figure


def strongest(associations: pd.DataFrame, agreement: AgreementParams) -> pd.DataFrame:
    """Pairs in enough videos to be evidence, then others that support each other; of both, the highest PMI first.

    Args:
        associations: `ClassAssociations`.
    """
    is_evident = associations["videos"] >= agreement.min_videos
    shown = associations.assign(is_evident=is_evident)[is_evident | (associations["support"] != "")]
    columns = ["is_evident", "pmi", "clips", "visual", "audio"]
    return shown.sort_values(columns, ascending=[False, False, False, True, True]).drop(columns="is_evident")


def association_matrix(associations: pd.DataFrame, agreement: AgreementParams) -> go.Figure:
    """Visual classes (rows) by audio classes (columns), both in the order of the strongest pair they are in.

    Colour is pointwise mutual information: blue where the classes occur together more often than by chance.
    """
    ranked = strongest(associations, agreement)
    visual, audio = (ranked[side].drop_duplicates().head(MATRIX_SIDE).tolist() for side in ("visual", "audio"))
    shown = ranked[ranked["visual"].isin(visual) & ranked["audio"].isin(audio)]

    def grid(column: str) -> list[list[float]]:
        cells = shown.pivot(index="visual", columns="audio", values=column).reindex(index=visual, columns=audio)
        return cells.astype(object).where(cells.notna(), None).to_numpy().tolist()

    counts = [list(zip(*rows, strict=True)) for rows in zip(grid("clips"), grid("videos"), strict=True)]
    limit = float(shown["pmi"].abs().max()) if len(shown) else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=grid("pmi"),
            x=audio,
            y=visual,
            customdata=counts,
            hovertemplate=(
                "%{y} and %{x}: %{z:.1f} bits, %{customdata[0]:,} clips of %{customdata[1]:,} videos<extra></extra>"
            ),
            hoverongaps=False,
            colorscale=[[0, html.WARM], [0.5, "#ffffff"], [1, html.ACCENT]],
            zmin=-limit,
            zmax=limit,
            xgap=1,
            ygap=1,
            colorbar={"title": "bits", "thickness": 10, "len": 0.6},
        )
    )
    ticks = [
        {"tickvals": side, "ticktext": list(map(html.shortened, side)), "showgrid": False} for side in (audio, visual)
    ]
    figure.update_xaxes(title="audio", side="bottom", tickangle=-60, **ticks[0])
    figure.update_yaxes(title="visual", autorange="reversed", **ticks[1])
    width, height = 320 + 24 * len(audio), 280 + 22 * len(visual)
    title = f"{len(ranked):,} pairs of classes that support each other or are in {agreement.min_videos} videos"
    figure.update_layout(title=title, template="plotly_white", width=width, height=height)
    return figure
