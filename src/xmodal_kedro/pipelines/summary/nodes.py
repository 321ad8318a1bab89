"""Nodes of the pipeline `summary`: tables, a plot and a page from the results of many runs."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.storage import DataFrame


def summarise(
    all_transfer_results: DataFrame, all_transfer_gains: DataFrame, all_compare_results: DataFrame
) -> tuple[DataFrame, DataFrame, Any]:
    """Means and standard deviations on each benchmark, of each network and of the labels of each rule; and a plot of
    the gains from pretraining.

    Raises:
        UserError: there are no results yet.
    """
    from xmodal_kedro.errors import UserError
    from xmodal_kedro.evaluation.summary import summarise_networks, summarise_rules
    from xmodal_kedro.reports.summary import plot_network_gains

    if all_transfer_results.empty and all_compare_results.empty:
        raise UserError("there are no results below this data root yet: run transfer_eval or compare first")
    networks = summarise_networks(all_transfer_results, all_transfer_gains)
    return networks, summarise_rules(all_compare_results), plot_network_gains(networks)


def write_summary(
    network_summary: DataFrame, rule_summary: DataFrame, all_compare_gains: DataFrame, network_gains: Any
) -> str:
    """All results as one self-contained HTML page."""
    from xmodal_kedro.reports.summary import SummaryReport

    return SummaryReport(network_summary, rule_summary, all_compare_gains, network_gains).render()
