"""The report of `compare`: which labels a network learns most from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.reports import html, names

SIGNIFICANCE = 0.05
"""p-value below which a difference counts as significant."""


@dataclass(frozen=True)
class CompareReport:
    """All that the report shows.

    Attributes:
        benchmark: its name in the catalogue.
        complete: whether it is all of the published benchmark.
        values: `RuleResults`.
        gains: `RuleGains`.
        metrics: of `evaluation.rule_results.summarise_rules`.
        plot: of `plot_rules`.
    """

    benchmark: str
    complete: bool
    values: pd.DataFrame
    gains: pd.DataFrame
    metrics: Mapping[str, float]
    plot: go.Figure

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        measure = CATALOGUE[self.benchmark].measure
        gains = self.gains[self.gains["metric"] == measure]
        values = self.values[self.values["metric"] == measure]
        means = values.groupby("rule")["value"].mean().sort_values(ascending=False)
        stds = {rule: self.metrics[f"{self.benchmark}.{rule}.{measure}_std"] for rule in means.index}
        best = str(means.index[0])
        return html.render(
            "compare_report.html.j2",
            title=names.benchmark_title(self.benchmark, self.complete),
            names=names,
            significance=SIGNIFICANCE,
            measure=names.MEASURES[measure],
            seeds=values["seed"].nunique(),
            best=best,
            beaten=better_than(best, gains),
            means=[(rule, html.mean_and_std(mean, stds[rule])) for rule, mean in means.items()],
            metrics=self.metrics,
            gains=gains.to_dict("records"),
            plot=self.plot,
        )


def better_than(rule: str, gains: pd.DataFrame) -> list[str]:
    """Names of the rules that a rule is significantly ahead of.

    Args:
        gains: `RuleGains` of one network, benchmark and measure.
    """
    significant = (gains["rule"] == rule) & (gains["p_value"] < SIGNIFICANCE)
    return [names.rule_name(over) for over in gains.loc[significant, "over"]]


def plot_rules(values: pd.DataFrame, predictions: pd.DataFrame) -> go.Figure:
    """Above: each rule's mean, and the mean of each seed. Below: the share of each class's clips that is right.

    Args:
        values: `RuleResults`; of the first metric.
        predictions: `RulePredictions`.
    """
    shown = values[values["metric"] == values["metric"].iloc[0]]
    seeds = 100 * shown.groupby(["rule", "seed"])["value"].mean().unstack("seed")
    order = seeds.mean(axis=1).sort_values(ascending=False).index
    right = predictions.assign(right=predictions["truth"] == predictions["predicted"])
    classes = right.pivot_table(index="rule", columns="truth", values="right", aggfunc="mean").loc[order]
    rules = [names.rule_name(rule) for rule in order]
    figure = make_subplots(2, 1, row_heights=[0.5, 0.5], vertical_spacing=0.16)
    for seed in seeds:
        figure.add_scatter(
            x=seeds.loc[order, seed].tolist(), y=rules, mode="markers", name=f"seed {seed}", opacity=0.6, row=1, col=1
        )
    figure.add_scatter(
        x=seeds.loc[order].mean(axis=1).tolist(),
        y=rules,
        mode="markers",
        name="mean",
        marker={"symbol": "line-ns-open", "size": 22, "color": html.INK, "line": {"width": 3}},
        row=1,
        col=1,
    )
    figure.add_heatmap(
        z=(100 * classes).to_numpy().round(1).tolist(),
        x=[name.replace("_", " ") for name in classes.columns],
        y=rules,
        colorscale=[[0, "#ffffff"], [1, html.ACCENT]],
        zmin=0,
        zmax=100,
        showscale=False,
        hovertemplate="%{x}, %{y}: %{z} % right<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_xaxes(title="percent right", row=1, col=1)
    figure.update_xaxes(tickangle=-60, row=2, col=1)
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(template="plotly_white", height=680)
    return figure
