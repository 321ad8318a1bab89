"""Plots of benchmark results."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.evaluation import statistics
from xmodal_kedro.evaluation.predictions import main_predictions, pretrained_predictions
from xmodal_kedro.evaluation.representations import RANDOM, SCRATCH
from xmodal_kedro.reports import html
from xmodal_kedro.reports.names import NAMES

FEW_CLASSES = 20
"""Classes up to which a confusion matrix has room for counts and slanted names."""


def confusion_matrix(predictions: pd.DataFrame) -> go.Figure:
    """Clips by true class (rows) and by the class that the pretrained network predicted (columns), over all folds."""
    pretrained = pretrained_predictions(predictions)
    return confusion_of(pretrained["truth"], pretrained["predicted"])


def confusion_of(truth: pd.Series, predicted: pd.Series) -> go.Figure:
    """Clips by true class (rows) and by predicted class (columns).

    Colour is the share of the row, so that classes of different size compare.
    """
    classes = sorted(truth.unique())
    counts = pd.crosstab(truth, predicted).reindex(index=classes, columns=classes, fill_value=0)
    few = len(classes) <= FEW_CLASSES
    names = [name.replace("_", " ") for name in classes]
    figure = go.Figure(
        go.Heatmap(
            z=counts.div(counts.sum(axis=1), axis=0).to_numpy().tolist(),
            x=names,
            y=names,
            text=[[str(count or "") for count in row] for row in counts.to_numpy()],
            texttemplate="%{text}" if few else None,
            customdata=counts.to_numpy().tolist(),
            hovertemplate="%{y} predicted as %{x}: %{customdata} clips (%{z:.0%})<extra></extra>",
            colorscale=[[0, "#ffffff"], [1, html.ACCENT]],
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            showscale=False,
        )
    )
    side = 210 + max(14, 44 - len(classes)) * len(classes)
    angle = -45 if few else -90
    axis = {"type": "category", "dtick": 1, "showgrid": False}  # a class may be called 007
    figure.update_xaxes(axis, title="predicted", side="bottom", tickangle=angle, constrain="domain")
    figure.update_yaxes(axis, title="true", autorange="reversed", scaleanchor="x")
    figure.update_layout(template="plotly_white", width=side, height=side)
    return figure


def gain_intervals(gains: pd.DataFrame) -> go.Figure:
    """How far the pretrained network is ahead of each comparison, in points, with 95 % confidence intervals.

    Args:
        gains: as `schemas.TransferGains`; those of the first metric are shown.
    """
    shown = gains[gains["metric"] == gains["metric"].iloc[0]] if len(gains) else gains
    names = shown["over"].map(NAMES) + ", " + shown["protocol"].map(NAMES)
    return intervals(shown, names.tolist(), "points ahead of")


def intervals(gains: pd.DataFrame, names: Sequence[str], title: str) -> go.Figure:
    """Gains as points on a line, each with its confidence interval.

    Args:
        gains: columns `gain`, `low` and `high`, as shares.
        names: of its rows.
        title: of the axis, which is in points.
    """
    figure = go.Figure(
        go.Scatter(
            x=(100 * gains["gain"]).tolist(),
            y=list(names),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (100 * (gains["high"] - gains["gain"])).tolist(),
                "arrayminus": (100 * (gains["gain"] - gains["low"])).tolist(),
                "thickness": 2,
                "width": 5,
            },
            mode="markers",
            marker={"size": 11, "color": html.ACCENT},
            hovertemplate="%{y}: %{x:+.1f} points<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": html.INK, "width": 1})
    figure.update_xaxes(title=title, zeroline=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_layout(template="plotly_white", height=120 + 44 * len(gains), showlegend=False)
    return figure


def class_gains(predictions: pd.DataFrame) -> go.Figure:
    """On each class, how many more of its clips the pretrained network gets right than without pretraining, in points.

    Args:
        predictions: as `schemas.TransferPredictions`.
    """
    main = main_predictions(predictions)
    other = next((name for name in (RANDOM, SCRATCH) if (main["representation"] == name).any()), None)
    if other is None:  # zero-shot alone: there is nothing to be ahead of
        return go.Figure()
    table = statistics.class_gains(main, main["protocol"].iloc[0], other)
    names = [html.shortened(name.replace("_", " ")) for name in table["category"]]
    figure = go.Figure(
        go.Bar(
            x=(100 * table["gain"]).tolist(),
            y=names,
            orientation="h",
            marker={"color": [html.ACCENT if gain >= 0 else html.WARM for gain in table["gain"]]},
            customdata=(100 * table[["pretrained", "other"]]).to_numpy().round(1).tolist(),
            hovertemplate="%{y}: %{customdata[0]} % right, %{customdata[1]} % without pretraining<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"points ahead of {NAMES[other]}")
    figure.update_yaxes(autorange="reversed", dtick=1, showgrid=False, type="category")
    figure.update_layout(template="plotly_white", height=110 + 22 * len(table), showlegend=False)
    return figure
