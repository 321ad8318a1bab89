"""All that was judged so far, as one HTML page."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.evaluation.plots import NAMES, PROTOCOLS
from xmodal_kedro.evaluation.representations import LOG_MEL, TEACHER
from xmodal_kedro.evaluation.rule_results import NAMES as RULE_NAMES
from xmodal_kedro.evaluation.rule_results import verdict
from xmodal_kedro.evaluation.summary import is_first_measure, titles
from xmodal_kedro.reports import html
from xmodal_kedro.reports.transfer.result_sections import HOW, MEASURES, ORDER

TITLE = "What was learnt, on every benchmark at hand"
STYLE = "thead th.number { white-space: normal; min-width: 10ch; }"
WITHOUT_NETWORK = (LOG_MEL, TEACHER)
"""Representations that are the same whatever network was judged beside them."""


def render_summary(
    networks: pd.DataFrame, rules: pd.DataFrame, rule_gains: pd.DataFrame, network_gains: go.Figure
) -> str:
    """One HTML page that needs nothing beside it.

    Args:
        networks: as `schemas.NetworkSummary`.
        rules: as `schemas.RuleSummary`.
        rule_gains: as `schemas.RuleGains`, of all networks and benchmarks.
        network_gains: what pretraining gave each network.
    """
    networks, rules = (told[is_first_measure(told)].assign(title=titles) for told in (networks, rules))
    rule_gains = rule_gains[is_first_measure(rule_gains)]
    parts = [f"<header><h1>{TITLE}</h1>{html.paragraph(_lead(networks, rules), 'lead')}</header>"]
    parts += [_protocol(networks, name) for name in PROTOCOLS if (networks["protocol"] == name).any()]
    if len(networks):
        parts.append(_gains(network_gains))
    parts += [_rules(of_model, rule_gains) for _, of_model in rules.groupby("model")]
    return html.page(TITLE, parts, STYLE)


def _lead(networks: pd.DataFrame, rules: pd.DataFrame) -> str:
    told = pd.concat([networks[["title", "model"]], rules[["title", "model"]]])
    models, benchmarks = (", ".join(told[name].drop_duplicates()) for name in ("model", "title"))
    return f"{models} on {benchmarks}. In percent; of each benchmark the measure that it is published with."


def _protocol(networks: pd.DataFrame, protocol: str) -> str:
    """A row for each network, trained and not, and for what is compared with it; a column for each benchmark."""
    shown = networks[networks["protocol"] == protocol].copy()
    shown["row"] = _row_names(shown)
    order = _by_place(shown)["row"].drop_duplicates().tolist()
    heading = f"Networks, {NAMES[protocol]}"
    text = f"By {HOW[protocol]}: mean and deviation over folds."
    if protocol == "zero_shot":
        text += " Each is asked about the classes that it has a name for, so these figures do not compare."
    return html.section(heading, html.paragraph(text), _table(shown, order))


def _row_names(shown: pd.DataFrame) -> pd.Series:
    """Log-mel statistics and the teacher stand for themselves, unless runs disagree on them."""
    keys = ["benchmark", "representation"]
    agreed = shown.groupby(keys)["mean"].transform("nunique") == 1
    alone = shown["representation"].isin(WITHOUT_NETWORK) & agreed.groupby(shown["representation"]).transform("all")
    names = shown["representation"].map(NAMES)
    return names.str.capitalize().where(alone, shown["model"] + ", " + names)


def _by_place(shown: pd.DataFrame) -> pd.DataFrame:
    place = shown["representation"].map(ORDER.index)
    last = shown["representation"].isin(WITHOUT_NETWORK)
    return shown.assign(place=place, last=last).sort_values(["last", "model", "place"], kind="stable")


def _table(shown: pd.DataFrame, order: list[str]) -> str:
    """Means and deviations: rows by the column `row`, a column for each benchmark."""
    measures = shown.drop_duplicates("title").set_index("title")["metric"].map(MEASURES).to_dict()
    columns = ("", *(f"{title}, {measure.lower()}" for title, measure in measures.items()))
    cells = {
        (told["row"], told["title"]): f"{100 * told['mean']:.1f}"
        + ("" if pd.isna(told["deviation"]) else f" ± {100 * told['deviation']:.1f}")
        for told in shown.to_dict("records")
    }
    rows = [(name, *(cells.get((name, title), "") for title in measures)) for name in order]
    return html.table(columns, rows, numbers=range(1, len(columns)))


def _gains(network_gains: go.Figure) -> str:
    return html.section(
        "What pretraining gave",
        html.paragraph(
            "Points that each network is ahead of itself without pretraining, with 95 % intervals: of random weights "
            "in a probe, of training from scratch where all of it is fine-tuned."
        ),
        html.figure(network_gains, "network-gains"),
        html.paragraph(
            "Networks are tested against what they are compared with, not against each other: two whose intervals "
            "overlap may differ by chance.",
            "soft",
        ),
    )


def _rules(rules: pd.DataFrame, gains: pd.DataFrame) -> str:
    """Labels of each rule on each benchmark, and which is best on each."""
    model = rules["model"].iloc[0]
    shown = rules.assign(row=[RULE_NAMES.get(rule, rule).capitalize() for rule in rules["rule"]])
    order = shown.groupby("row")["mean"].mean().sort_values(ascending=False).index.tolist()
    verdicts = []
    for best in rules.drop_duplicates("benchmark").to_dict("records"):  # the best rule of each stands first
        tested = gains[(gains["benchmark"] == best["benchmark"]) & (gains["model"] == model)]
        verdicts.append(html.paragraph(verdict(best["title"], best["rule"], tested)))
    return html.section(
        f"Which labels {model} learns most from",
        html.paragraph("The same network, trained on labels of each rule of merging: mean and deviation over seeds."),
        _table(shown, order),
        *verdicts,
    )
