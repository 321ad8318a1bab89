"""What networks trained on the labels of several rules are worth beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xmodal_kedro.evaluation.benchmarks.benchmark import Split
from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.evaluation.rule_trials import UNTRAINED
from xmodal_kedro.evaluation.statistics import confidence_interval, fold_values, paired_p_value
from xmodal_kedro.reports import html
from xmodal_kedro.reports.transfer.result_sections import MEASURES as MEASURE_NAMES
from xmodal_kedro.reports.transfer.result_sections import interval as told_interval
from xmodal_kedro.reports.transfer.result_sections import p_value, points, title_of
from xmodal_kedro.schemas import RuleGains
from xmodal_kedro.storage import Shards

NAMES = {
    "visual_only": "what is seen",
    "audio_only": "what is heard",
    "union": "either (union)",
    "agreement": "what agrees",
    UNTRAINED: "nothing (random weights)",
}
"""Of rules, for readers: labels of..."""
SURE = 0.05
"""p-value below which a difference is called significant."""


def rule_values(predictions: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Each measure of each rule, seed and fold: `schemas.RuleResults` without the names of benchmark and model."""
    return fold_values(predictions, measures, ("rule", "seed", "fold"), sort=False)


def rule_gains(values: pd.DataFrame, splits: Sequence[Split]) -> pd.DataFrame:
    """Every pair of rules, the better one first: `schemas.RuleGains` without the names of benchmark and model.

    Folds of several seeds are tested as repeated cross-validation is: Bouckaert and Frank, "Evaluating the
    replicability of significance tests for comparing learning algorithms" (2004), with Nadeau and Bengio's correction;
    p-values are adjusted for the number of pairs by Holm's method (1979).
    """
    ratio = float(np.mean([len(split.test) / len(split.train) for split in splits]))
    rows = []
    for metric, of_metric in values.groupby("metric", sort=False):
        table = of_metric.pivot_table(index=["seed", "fold"], columns="rule", values="value")
        for one, other in combinations(table, 2):
            gains = (table[one] - table[other]).to_numpy()
            if gains.mean() < 0:
                one, other, gains = other, one, -gains
            rows.append((one, other, metric, gains.mean(), *_interval(gains, ratio), _p_value(gains, ratio)))
    columns = [name for name in RuleGains.to_schema().columns if name not in ("benchmark", "model")]
    found = pd.DataFrame(rows, columns=columns)
    found["p_value"] = found.groupby("metric")["p_value"].transform(lambda p_values: holm(p_values.to_numpy()))
    return found.sort_values(["metric", "p_value", "gain"], ascending=[True, True, False], ignore_index=True)


def _interval(gains: NDArray[np.floating], ratio: float) -> tuple[float, float]:
    return confidence_interval(gains, ratio) if len(gains) > 1 else (float(gains[0]), float(gains[0]))


def _p_value(gains: NDArray[np.floating], ratio: float) -> float:
    return paired_p_value(gains, ratio) if len(gains) > 1 else 1.0


def holm(p_values: NDArray[np.floating]) -> NDArray[np.floating]:
    """p-values of several tests, adjusted so that the chance of any false positive is that of one test."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def rule_metrics(benchmark: str, values: pd.DataFrame, networks: Shards) -> dict[str, float]:
    """Means and std over seeds and folds, and of the trainings, by names such as `esc10.union.accuracy`.

    Args:
        values: as `rule_values` gives them.
        networks: `schemas.RuleNetworks` by rule and seed.
    """
    metrics: dict[str, float] = {}
    for (rule, metric), group in values.groupby(["rule", "metric"]):
        name = f"{benchmark}.{rule}.{metric}"
        metrics[name] = float(group["value"].to_numpy().mean())
        of_seeds = group.groupby("seed")["value"].mean().to_numpy()
        metrics[f"{name}_std"] = float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else 0.0
    for rule, figures in _trainings(networks).items():
        metrics |= {f"{rule}.{name}": float(np.mean(of_seeds)) for name, of_seeds in figures.items()}
    return metrics


def _trainings(networks: Shards) -> dict[str, dict[str, list[float]]]:
    """Classes, clips and validation mAP of the trainings of each rule, by seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for key, network in networks.items():
        metadata = network.metadata
        for name in ("classes", "clips", "validation_map"):
            found.setdefault(key.rpartition("-")[0], {}).setdefault(name, []).append(float(metadata[name]))
    return found


def plot_rules(values: pd.DataFrame, predictions: pd.DataFrame) -> go.Figure:
    """Above: each rule's mean, and the mean of each seed. Below: how many clips of each class are right."""
    shown = values[values["metric"] == values["metric"].iloc[0]]
    seeds = 100 * shown.groupby(["rule", "seed"])["value"].mean().unstack("seed")
    order = seeds.mean(axis=1).sort_values(ascending=False).index
    right = predictions.assign(right=predictions["truth"] == predictions["predicted"])
    classes = right.pivot_table(index="rule", columns="truth", values="right", aggfunc="mean").loc[order]
    names = [NAMES.get(rule, rule) for rule in order]
    figure = make_subplots(2, 1, row_heights=[0.5, 0.5], vertical_spacing=0.16)
    for seed in seeds:
        figure.add_trace(
            go.Scatter(x=seeds.loc[order, seed].tolist(), y=names, mode="markers", name=f"seed {seed}", opacity=0.6)
        )
    figure.add_trace(
        go.Scatter(
            x=seeds.loc[order].mean(axis=1).tolist(),
            y=names,
            mode="markers",
            name="mean",
            marker={"symbol": "line-ns-open", "size": 22, "color": html.INK, "line": {"width": 3}},
        )
    )
    figure.add_trace(
        go.Heatmap(
            z=(100 * classes).to_numpy().round(1).tolist(),
            x=[name.replace("_", " ") for name in classes.columns],
            y=names,
            colorscale=[[0, "#ffffff"], [1, html.ACCENT]],
            zmin=0,
            zmax=100,
            showscale=False,
            hovertemplate="%{x}, %{y}: %{z} % right<extra></extra>",
        ),
        2,
        1,
    )
    figure.update_xaxes(title="percent right", row=1, col=1)
    figure.update_xaxes(tickangle=-60, row=2, col=1)
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(template="plotly_white", height=680)
    return figure


def verdict(benchmark: str, best: str, gains: pd.DataFrame) -> str:
    """Which labels come out best, and whether surely so, in a sentence.

    Args:
        benchmark: its title.
        best: the rule of the highest mean.
        gains: of that network, benchmark and measure, as `schemas.RuleGains`.
    """
    beaten = gains[(gains["rule"] == best) & (gains["p_value"] < SURE)]["over"].tolist()
    surely = f"surely ahead (p < {SURE}) of {', '.join(NAMES.get(rule, rule) for rule in beaten)}"
    ahead = surely if beaten else f"but surely ahead (p < {SURE}) of no other"
    return f"Labels of {NAMES.get(best, best)} come out best on {benchmark}, {ahead}."


def render_rules(
    benchmark: str,
    complete: bool,
    values: pd.DataFrame,
    gains: pd.DataFrame,
    metrics: dict[str, float],
    figure: go.Figure,
) -> str:
    """One HTML page that says which labels to learn from.

    Args:
        complete: whether it is all of the published benchmark.
    """
    measure = CATALOGUE[benchmark].measure
    title = "Which labels to learn from"
    means = values[values["metric"] == measure].groupby("rule")["value"].mean().sort_values(ascending=False)
    best = verdict(title_of(benchmark, complete), means.index[0], gains[gains["metric"] == measure])
    rows = [
        (
            NAMES.get(str(rule), str(rule)),
            f"{100 * mean:.1f} ± {100 * metrics[f'{benchmark}.{rule}.{measure}_std']:.1f}",
            *(
                f"{metrics[key]:,.{digits}f}" if (key := f"{rule}.{name}") in metrics else ""
                for name, digits in (("clips", 0), ("classes", 0), ("validation_map", 3))
            ),
        )
        for rule, mean in means.items()
    ]
    pairs = [
        (
            f"{NAMES.get(gain['rule'], gain['rule'])} over {NAMES.get(gain['over'], gain['over'])}",
            points(gain["gain"]),
            told_interval(gain),
            p_value(gain["p_value"]),
        )
        for _, gain in gains[gains["metric"] == measure].iterrows()
    ]
    parts = [
        f"<header><h1>{title}</h1>{html.paragraph(best, 'lead')}</header>",
        html.section(
            "By whose labels",
            html.paragraph(
                f"{MEASURE_NAMES[measure]} in percent, mean and deviation over {values['seed'].nunique()} seeds, of "
                "linear probes on frozen embeddings. Network, training and clips are the same; what differs is "
                "whose labels are targets, and so how many clips have any."
            ),
            html.table(
                ("Labels of", MEASURE_NAMES[measure], "Clips trained on", "Classes", "Validation mAP"),
                rows,
                numbers=(1, 2, 3, 4),
            ),
            html.figure(figure, "rules"),
        ),
        html.section(
            "Pair by pair",
            html.table(("", "Points", "95 % interval", "p"), pairs, numbers=(1, 2, 3)),
            html.paragraph(
                "Paired over folds and seeds, corrected for training sets that overlap (Nadeau and Bengio, 2003), p "
                "for the number of pairs (Holm, 1979).",
                "soft",
            ),
        ),
    ]
    return html.page(title, parts)
