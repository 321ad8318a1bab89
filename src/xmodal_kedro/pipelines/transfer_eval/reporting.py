"""Nodes of the pipeline `transfer_eval`: plots, and the report."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import TransferParams
from xmodal_kedro.storage import DataFrame, Folder, Shards

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
    "leak_check",
    "transfer_results",
    "transfer_predictions",
    "transfer_gains",
    "confusion_matrix",
    "gain_intervals",
    "class_gains",
    "embedding_map",
    "run_provenance",
)
"""Inputs of the report, in the order of `write_report` and of `ReportInputs`."""


def plot_confusion(transfer_predictions: DataFrame) -> Any:
    """Which classes the pretrained network confuses, as a plotly figure."""
    from xmodal_kedro.evaluation.plots import confusion_matrix

    return confusion_matrix(transfer_predictions)


def plot_gains(transfer_gains: DataFrame) -> Any:
    """Gains over each comparison with their confidence intervals, as a plotly figure."""
    from xmodal_kedro.evaluation.plots import gain_intervals

    return gain_intervals(transfer_gains)


def plot_class_gains(transfer_predictions: DataFrame) -> Any:
    """On which classes the pretrained network is ahead, as a plotly figure."""
    from xmodal_kedro.evaluation.plots import class_gains

    return class_gains(transfer_predictions)


def tabulate_calls(transfer_predictions: DataFrame) -> tuple[DataFrame, DataFrame]:
    """What the pretrained network called each test clip, and how often it was right by class, as plain tables."""
    from xmodal_kedro.evaluation.plots import pretrained_predictions
    from xmodal_kedro.evaluation.statistics import class_accuracies

    told = pretrained_predictions(transfer_predictions)
    return told[["truth", "predicted"]].reset_index(drop=True), class_accuracies(told)


def map_embeddings(benchmark_files: Folder, benchmark_embeddings: Shards, transfer_eval: TransferParams) -> Any:
    """The benchmark's sounds where the pretrained embedding puts them, in two dimensions, as a plotly figure."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.embedding_map import draw_map
    from xmodal_kedro.evaluation.embeddings import collect_embeddings
    from xmodal_kedro.evaluation.representations import PRETRAINED

    clips = read_benchmark(benchmark_files, transfer_eval.benchmark).clips
    embedded = collect_embeddings(benchmark_embeddings, PRETRAINED, clips["file"].tolist())
    return draw_map(embedded.embeddings, clips["category"].to_numpy(), clips["file"].to_numpy())


def write_report(
    videos: DataFrame,
    rejected_videos: DataFrame,
    clips: Shards,
    unclipped_videos: DataFrame,
    cut_short_videos: DataFrame,
    near_duplicates: DataFrame,
    source_outcomes: Any,
    labels: Shards,
    label_vocabulary: DataFrame,
    label_metrics: dict[str, float],
    label_histogram: Any,
    model_card: dict[str, Any],
    training_history: DataFrame,
    training_curves: Any,
    leak_check: dict[str, int],
    transfer_results: DataFrame,
    transfer_predictions: DataFrame,
    transfer_gains: DataFrame,
    confusion_matrix: Any,
    gain_intervals: Any,
    class_gains: Any,
    embedding_map: Any,
    run_provenance: dict[str, str],
) -> str:
    """Everything that a reader of the run wants to see, as one HTML page that needs no network."""
    from xmodal_kedro.reports.transfer.report import ReportInputs, render

    return render(
        ReportInputs(
            videos,
            rejected_videos,
            clips,
            unclipped_videos,
            cut_short_videos,
            near_duplicates,
            source_outcomes,
            labels,
            label_vocabulary,
            label_metrics,
            label_histogram,
            model_card,
            training_history,
            training_curves,
            leak_check,
            transfer_results,
            transfer_predictions,
            transfer_gains,
            confusion_matrix,
            gain_intervals,
            class_gains,
            embedding_map,
            run_provenance,
        )
    )
