"""Pictures of benchmark results."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.benchmarks.compare import PRETRAINED

FEW_CLASSES = 20
"""Classes up to which a confusion matrix has room for counts and slanted names."""


def confusion_matrix(predictions: pd.DataFrame) -> go.Figure:
    """Clips by true class (rows) and by what the pretrained network's probes called them (columns), over all folds.

    Colour is the share of the row, so that classes of different size compare.
    """
    pretrained = predictions[predictions["initialisation"] == PRETRAINED]
    classes = sorted(pretrained["truth"].unique())
    counts = pd.crosstab(pretrained["truth"], pretrained["predicted"]).reindex(
        index=classes, columns=classes, fill_value=0
    )
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
            hovertemplate="%{y} called %{x}: %{customdata} clips (%{z:.0%})<extra></extra>",
            colorscale=[[0, "#ffffff"], [1, "#1f5f8b"]],
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            showscale=False,
        )
    )
    side = 210 + max(14, 44 - len(classes)) * len(classes)
    angle = -45 if few else -90
    figure.update_xaxes(title="predicted", side="bottom", tickangle=angle, dtick=1, showgrid=False, constrain="domain")
    figure.update_yaxes(title="true", autorange="reversed", dtick=1, showgrid=False, scaleanchor="x")
    figure.update_layout(template="plotly_white", width=side, height=side)
    return figure
