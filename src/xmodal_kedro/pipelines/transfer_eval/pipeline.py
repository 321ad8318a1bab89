"""The pipeline `transfer_eval`: weights and a benchmark to accuracies, pretrained beside random, and the report."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import embed_benchmark, plot_confusion, probe_folds, write_report

REPORTED = (
    "videos",
    "rejected_videos",
    "clips",
    "unclipped_videos",
    "cut_short_videos",
    "near_duplicates",
    "source_outcomes",
    "labels",
    "label_vocabulary",
    "label_metrics",
    "label_histogram",
    "model_card",
    "training_history",
    "training_curves",
    "transfer_results",
    "transfer_predictions",
    "transfer_metrics",
    "confusion_matrix",
)


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Embed the benchmark, probe its folds, draw the confusion matrix and write the report."""
    return Pipeline(
        [
            Node(
                embed_benchmark,
                inputs=["benchmark_files", "model_weights", "model_card", "params:transfer_eval"],
                outputs="benchmark_embeddings",
                name="embed_benchmark",
            ),
            Node(
                probe_folds,
                inputs=["benchmark_embeddings", "model_card", "params:transfer_eval"],
                outputs=["transfer_results", "transfer_predictions", "transfer_metrics"],
                name="probe_folds",
            ),
            Node(
                plot_confusion,
                inputs="transfer_predictions",
                outputs="confusion_matrix",
                name="plot_confusion",
            ),
            Node(
                write_report,
                inputs=list(REPORTED),
                outputs="transfer_report",
                name="write_report",
            ),
        ]
    )
