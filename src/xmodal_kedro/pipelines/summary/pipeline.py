"""The pipeline `summary`: results of all networks and rules on all benchmarks, in one page."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import summarise, write_summary


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Summarise the results of all runs of `transfer_eval` and `compare`."""
    return Pipeline(
        [
            Node(
                summarise,
                inputs=["all_transfer_results", "all_transfer_gains", "all_compare_results"],
                outputs=["network_summary", "rule_summary", "network_gains"],
                name="summarise",
            ),
            Node(
                write_summary,
                inputs=["network_summary", "rule_summary", "all_compare_gains", "network_gains"],
                outputs="summary_report",
                name="write_summary",
            ),
        ]
    )
