"""Plots of a classifier of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.reports import html
from xmodal_kedro.reports.transfer.plots import confusion_of

BINS = 10
MEASURES = {True: "accuracy", False: "share of known labels that is right"}
"""Of a learning curve, by whether classes exclude each other."""


def best_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """True and predicted class of each clip, of classes that exclude each other: `clip`, `fold`, `truth`, `predicted`
    and the `score` of that.

    Args:
        predictions: `schemas.AdaptPredictions`.
    """
    best = predictions.loc[predictions.groupby("clip", sort=False)["score"].idxmax()].set_index("clip")
    truth = predictions[predictions["is_heard"] == 1].set_index("clip")["name"]
    return pd.DataFrame(
        {"fold": best["fold"], "truth": truth.reindex(best.index), "predicted": best["name"], "score": best["score"]}
    ).reset_index()


def confusion(predictions: pd.DataFrame, exclusive: bool) -> go.Figure:
    """The confusion matrix of held-out clips; for classes that do not exclude each other, scores by class and truth."""
    if exclusive:
        best = best_predictions(predictions)
        return confusion_of(best["truth"], best["predicted"])
    figure = go.Figure()
    for is_heard, name, colour in ((1.0, "heard", html.ACCENT), (0.0, "not heard", "#b8c4cf")):
        shown = predictions[predictions["is_heard"] == is_heard]
        figure.add_box(
            x=shown["score"].tolist(),
            y=shown["name"].tolist(),
            name=name,
            orientation="h",
            marker={"color": colour},
            boxpoints="all",
        )
    classes = predictions["name"].nunique()
    figure.update_layout(template="plotly_white", boxmode="group", height=140 + 60 * classes)
    figure.update_xaxes(title="score", range=[0, 1])
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def calibration(predictions: pd.DataFrame, exclusive: bool) -> go.Figure:
    """How often scores are right, by score: of the best class of a clip, or of every known one."""
    if exclusive:
        best = best_predictions(predictions)
        scores, right = best["score"].to_numpy(), (best["truth"] == best["predicted"]).to_numpy(float)
    else:
        known = predictions[predictions["is_heard"].notna()]
        scores, right = known["score"].to_numpy(), known["is_heard"].to_numpy()
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    found = [(scores[bins == at].mean(), right[bins == at].mean(), int((bins == at).sum())) for at in np.unique(bins)]
    figure = go.Figure(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#9aa5b1", "dash": "dot"}, name="calibrated")
    )
    figure.add_scatter(
        x=[float(each[0]) for each in found],
        y=[float(each[1]) for each in found],
        mode="lines+markers",
        name="held-out clips",
        customdata=[each[2] for each in found],
        hovertemplate="%{customdata:,} of score %{x:.2f}: %{y:.0%} right<extra></extra>",
        marker={"color": html.ACCENT, "size": 8},
    )
    figure.update_layout(
        template="plotly_white",
        xaxis={"title": "score", "range": [0, 1]},
        yaxis={"title": "share right", "range": [0, 1.02], "tickformat": ".0%"},
    )
    return figure


def learning_curve(curve: pd.DataFrame, exclusive: bool) -> go.Figure:
    """The measure by clips of each class, with the standard deviation over draws, and its continuation.

    Args:
        curve: `schemas.AdaptCurve`.
    """
    measured, continued = curve[~curve["continued"]], curve[curve["continued"]]
    figure = go.Figure(
        go.Scatter(
            x=measured["clips_per_class"].tolist(),
            y=measured["value"].tolist(),
            error_y={"type": "data", "array": measured["std"].fillna(0).tolist()},
            mode="lines+markers",
            name="measured",
            marker={"color": html.ACCENT, "size": 8},
        )
    )
    if len(continued):
        both = pd.concat([measured.tail(1), continued])
        figure.add_scatter(
            x=both["clips_per_class"].tolist(),
            y=both["value"].tolist(),
            mode="lines+markers",
            name="continued",
            line={"dash": "dot", "color": html.WARM},
        )
    figure.update_layout(
        template="plotly_white",
        xaxis={"title": "clips of each class", "type": "log"},
        yaxis={"title": MEASURES[exclusive], "tickformat": ".0%"},
    )
    figure.update_xaxes(tickvals=curve["clips_per_class"].tolist(), ticktext=[str(n) for n in curve["clips_per_class"]])
    return figure
