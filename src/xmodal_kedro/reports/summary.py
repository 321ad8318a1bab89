"""The report of `summary`: all results side by side, of networks and of rules of merging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.evaluation.predictions import PROTOCOLS
from xmodal_kedro.evaluation.representations import LOG_MEL, RANDOM, REPRESENTATIONS, SCRATCH, TEACHER
from xmodal_kedro.evaluation.summary import is_first_measure
from xmodal_kedro.reports import html, names
from xmodal_kedro.reports.compare import SIGNIFICANCE, better_than
from xmodal_kedro.reports.transfer.plots import intervals

WITHOUT_PRETRAINING = {"linear_probe": RANDOM, "fine_tune": SCRATCH}
"""What a network without pretraining is called in each protocol that has one."""
WITHOUT_NETWORK = (LOG_MEL, TEACHER)
"""Representations that are the same whatever network was evaluated beside them."""


@dataclass(frozen=True)
class SummaryReport:
    """All that the report shows; of each benchmark, the measure that it is published with.

    Attributes:
        networks: `NetworkSummary`.
        rules: `RuleSummary`.
        rule_gains: `RuleGains`, of all networks and benchmarks.
        network_gains: of `plot_network_gains`.
    """

    networks: pd.DataFrame
    rules: pd.DataFrame
    rule_gains: pd.DataFrame
    network_gains: go.Figure

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        networks, rules, gains = map(_of_first_measure, (self.networks, self.rules, self.rule_gains))
        everything = pd.concat([networks[["title", "model"]], rules[["title", "model"]]])
        return html.render(
            "summary_report.html.j2",
            names=names,
            significance=SIGNIFICANCE,
            models=everything["model"].drop_duplicates(),
            benchmarks=everything["title"].drop_duplicates(),
            protocols={
                name: _network_table(networks[networks["protocol"] == name])
                for name in PROTOCOLS
                if (networks["protocol"] == name).any()
            },
            rules={
                model: _rule_table(table, gains[gains["model"] == model]) for model, table in rules.groupby("model")
            },
            network_gains=self.network_gains,
        )


def plot_network_gains(networks: pd.DataFrame) -> go.Figure:
    """How far each network is ahead of itself without pretraining, in points, with 95 % confidence intervals.

    Args:
        networks: `NetworkSummary`; of each benchmark the first measure is shown.
    """
    shown = _of_first_measure(networks)
    shown = shown[shown["representation"] == shown["protocol"].map(WITHOUT_PRETRAINING)]
    rows = shown["model"] + ", " + shown["protocol"].map(names.NAMES) + "<br>" + shown["title"]
    return intervals(shown, rows.tolist(), "points gained by pretraining")


def _of_first_measure(table: pd.DataFrame) -> pd.DataFrame:
    """Its rows of the measure that their benchmark is published with, with the benchmark's `title`."""
    shown = table[is_first_measure(table)]
    complete = shown["complete"] if "complete" in shown else [True] * len(shown)
    titles = [names.benchmark_title(*pair) for pair in zip(shown["benchmark"], complete, strict=True)]
    return shown.assign(title=pd.Series(titles, shown.index, dtype=object))


def _network_table(shown: pd.DataFrame) -> dict[str, Any]:
    """A row for each network, pretrained and not, and for what it is compared with."""
    # Log-mel statistics and the teacher have one row for all networks, unless runs disagree on them.
    agreed = shown.groupby(["benchmark", "representation"])["mean"].transform("nunique") == 1
    last = shown["representation"].isin(WITHOUT_NETWORK)
    alone = last & agreed.groupby(shown["representation"]).transform("all")
    name = shown["representation"].map(names.NAMES)
    row = name.str.capitalize().where(alone, shown["model"] + ", " + name)
    place = shown["representation"].map(REPRESENTATIONS.index)
    ordered = shown.assign(row=row, last=last, place=place).sort_values(["last", "model", "place"], kind="stable")
    return _table(shown.assign(row=row), ordered["row"].drop_duplicates().tolist())


def _rule_table(rules: pd.DataFrame, gains: pd.DataFrame) -> dict[str, Any]:
    """A row for each rule, the best on average first, and which rule is best on each benchmark."""
    shown = rules.assign(row=rules["rule"].map(names.rule_name).str.capitalize())
    order = shown.groupby("row")["mean"].mean().sort_values(ascending=False).index.tolist()
    best = rules.drop_duplicates("benchmark")  # the best rule of each stands first
    beaten = [
        (title, rule, better_than(rule, gains[gains["benchmark"] == benchmark]))
        for benchmark, title, rule in best[["benchmark", "title", "rule"]].itertuples(index=False)
    ]
    return _table(shown, order) | {"best": beaten}


def _table(shown: pd.DataFrame, order: list[str]) -> dict[str, Any]:
    """Means and standard deviations: rows by the column `row`, a column for each benchmark."""
    columns = shown.drop_duplicates("title").set_index("title")["metric"].map(names.MEASURES).to_dict()
    cells = {
        (row, title): html.mean_and_std(mean, std)
        for row, title, mean, std in shown[["row", "title", "mean", "deviation"]].itertuples(index=False)
    }
    rows = [(name, [cells.get((name, title), "") for title in columns]) for name in order]
    return {"columns": [f"{title}, {measure.lower()}" for title, measure in columns.items()], "rows": rows}
