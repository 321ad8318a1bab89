"""The report of `label_check`: how good labels are where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.check.calibration import expected_calibration_error
from xmodal_kedro.reports import html

TITLES = {
    ("visual", "seen"): "Visual teacher, seen",
    ("visual", "heard"): "Visual teacher, heard",
    ("audio", "heard"): "Audio teacher, heard",
    ("target", "heard"): "Training targets, heard",
}
COLOURS = {("visual", "seen"): "#4c78a8", ("visual", "heard"): "#9ecae9", ("audio", "heard"): "#f58518"}
MAX_CLASSES = 60
"""Rows of a table of the page; `label_quality` has all of them."""


@dataclass(frozen=True)
class LabelCheckReport:
    """All that the report shows.

    Attributes:
        quality: `LabelQuality`.
        truth: `ClipTruth`.
        diagram: of `reliability_diagram`.
    """

    quality: pd.DataFrame
    truth: pd.DataFrame
    diagram: go.Figure

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        quality = self.quality.assign(
            title=[TITLES[key] for key in zip(self.quality["labels"], self.quality["against"], strict=True)]
        )
        classes = quality[(quality["average"] == "class") & (quality["match"] == "exact")]
        classes = classes.sort_values(["clips", "labelled", "name"], ascending=[False, False, True])
        by_title = {title: classes[classes["title"] == title] for title in TITLES.values()}
        return html.render(
            "label_check_report.html.j2",
            clips=len(self.truth),
            recordings=self.truth["video_id"].nunique(),
            overall=quality[quality["average"] == "micro"].to_dict("records"),
            classes={
                title: (len(table), table.head(MAX_CLASSES).to_dict("records"))
                for title, table in by_title.items()
                if len(table)
            },
            diagram=self.diagram,
        )


def reliability_diagram(calibration: pd.DataFrame) -> go.Figure:
    """Share of labels that are right against their score, where a label above or below a true class counts as right.

    Args:
        calibration: `LabelReliability`.
    """
    figure = go.Figure(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": "#9aa5b1", "dash": "dot"}, name="calibrated")
    )
    branch = calibration[calibration["match"] == "branch"]
    for (labels, against), bins in branch.groupby(["labels", "against"]):
        key = (str(labels), str(against))
        figure.add_scatter(
            x=bins["mean_score"].tolist(),
            y=bins["right"].tolist(),
            mode="lines+markers",
            name=f"{TITLES[key]} (error {expected_calibration_error(bins):.2f})",
            customdata=bins["labelled"].tolist(),
            hovertemplate="%{customdata:,} labels of score %{x:.2f}: %{y:.0%} right<extra></extra>",
            marker={"color": COLOURS[key], "size": 8},
            line={"color": COLOURS[key]},
        )
    figure.update_layout(
        title="How often labels are right, by their score",
        template="plotly_white",
        xaxis={"title": "score", "range": [0, 1]},
        yaxis={"title": "share right", "range": [0, 1.02], "tickformat": ".0%"},
    )
    return figure
