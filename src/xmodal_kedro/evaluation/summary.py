"""All results side by side: networks on benchmarks, and labels of several rules on benchmarks."""

from __future__ import annotations

import pandas as pd

from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.evaluation.predictions import PROTOCOLS
from xmodal_kedro.evaluation.representations import REPRESENTATIONS
from xmodal_kedro.schemas import NetworkSummary, RuleSummary, Table


def summarise_networks(results: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds, and how far the pretrained network is ahead.

    Args:
        results: `schemas.TransferResults` of any number of networks and benchmarks.
        gains: their `schemas.TransferGains`.

    Returns:
        `schemas.NetworkSummary`, by benchmark, protocol, metric and network, the pretrained one first.
    """
    keys = ["benchmark", "complete", "model", "protocol", "representation", "metric"]
    table = _means(results, keys).rename(columns={"size": "folds"})
    ahead = gains.rename(columns={"over": "representation"}).drop(columns="folds")
    table = table.merge(ahead, "left", ["benchmark", "model", "protocol", "representation", "metric"])
    return _in_order(table, ["benchmark", "protocol", "metric", "model", "representation"], NetworkSummary)


def summarise_rules(results: pd.DataFrame) -> pd.DataFrame:
    """What the labels of each rule are worth: mean over folds and seeds, and standard deviation over seeds.

    Args:
        results: `schemas.RuleResults` of any number of networks and benchmarks.

    Returns:
        `schemas.RuleSummary`, the best rule of each network and benchmark first.
    """
    keys = ["benchmark", "complete", "model", "rule", "metric"]
    of_seeds = results.groupby([*keys, "seed"])["value"].mean().reset_index()
    table = _means(of_seeds, keys).rename(columns={"size": "seeds"})
    best_first = table.sort_values("mean", ascending=False, kind="stable")
    return _in_order(best_first, ["benchmark", "model", "metric"], RuleSummary)


def _means(values: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    found = values.groupby(keys, as_index=False)["value"].agg(["mean", "std", "size"])
    return found.rename(columns={"std": "deviation"})


def _in_order(table: pd.DataFrame, by: list[str], schema: type[Table]) -> pd.DataFrame:
    orders = {"benchmark": tuple(CATALOGUE), "protocol": PROTOCOLS, "representation": REPRESENTATIONS}

    def places(column: pd.Series) -> pd.Series:
        names = orders.get(str(column.name))
        return column if names is None else column.map(names.index)

    ordered = table.sort_values(by, key=places, kind="stable", ignore_index=True)
    return ordered[list(schema.to_schema().columns)]


def is_first_measure(table: pd.DataFrame) -> pd.Series:
    """Which rows are of the measure that their benchmark is published with."""
    return table["metric"] == table["benchmark"].map({name: entry.measure for name, entry in CATALOGUE.items()})
