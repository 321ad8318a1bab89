"""Nodes of the pipeline `summary`: from the results of many runs to one table and one page."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.storage import DataFrame


def summarise(
    all_transfer_results: DataFrame, all_transfer_gains: DataFrame, all_compare_results: DataFrame
) -> tuple[DataFrame, DataFrame]:
    """Means and deviations: of each network on each benchmark, and of the labels of each rule.

    Raises:
        ValueError: if nothing was judged yet.
    """
    from xmodal_kedro.errors import UserError
    from xmodal_kedro.evaluation.summary import summarise_networks, summarise_rules

    if all_transfer_results.empty and all_compare_results.empty:
        raise UserError("nothing was judged below this data root yet: run transfer_eval or compare first")
    return (
        summarise_networks(all_transfer_results, all_transfer_gains),
        summarise_rules(all_compare_results),
    )


def plot_networks(network_summary: DataFrame) -> Any:
    """What pretraining gave each network on each benchmark, as a plotly figure."""
    from xmodal_kedro.evaluation.summary import gains_of_pretraining

    return gains_of_pretraining(network_summary)


def write_summary(
    network_summary: DataFrame, rule_summary: DataFrame, all_compare_gains: DataFrame, network_gains: Any
) -> str:
    """All that was judged, as one HTML page that needs no network."""
    from xmodal_kedro.reports.summary import render_summary

    return render_summary(network_summary, rule_summary, all_compare_gains, network_gains)
