"""Nodes of the pipeline `transfer_eval`: plots, and the report."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import TransferParams
from xmodal_kedro.storage import DataFrame, Folder, Shards


def plot_results(
    transfer_predictions: DataFrame, transfer_gains: DataFrame
) -> tuple[Any, Any, Any, DataFrame, DataFrame]:
    """Plots and plain tables of the results.

    Returns:
        As plotly figures: the confusion matrix of the pretrained network, gains over each comparison with confidence
        intervals, and gains by class. As tables, for the pretrained network: true and predicted class of each test
        clip, and accuracy by class.
    """
    from xmodal_kedro.evaluation.predictions import pretrained_predictions
    from xmodal_kedro.evaluation.statistics import class_accuracies
    from xmodal_kedro.reports.transfer import plots

    pretrained = pretrained_predictions(transfer_predictions)
    return (
        plots.confusion_matrix(transfer_predictions),
        plots.gain_intervals(transfer_gains),
        plots.class_gains(transfer_predictions),
        pretrained[["truth", "predicted"]].reset_index(drop=True),
        class_accuracies(pretrained),
    )


def map_embeddings(benchmark_files: Folder, benchmark_embeddings: Shards, transfer_eval: TransferParams) -> Any:
    """Two-dimensional map of the benchmark's clips by their pretrained embeddings, as a plotly figure."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.embeddings import collect_embeddings
    from xmodal_kedro.evaluation.representations import PRETRAINED
    from xmodal_kedro.reports.transfer.embedding_map import draw_map

    clips = read_benchmark(benchmark_files, transfer_eval.benchmark).clips
    embedded = collect_embeddings(benchmark_embeddings, PRETRAINED, clips["file"].tolist())
    return draw_map(embedded.embeddings, clips["category"].to_numpy(), clips["file"].to_numpy())


def describe_sources(
    videos: DataFrame,
    rejected_videos: DataFrame,
    unclipped_videos: DataFrame,
    cut_short_videos: DataFrame,
    near_duplicates: DataFrame,
    clips: Shards,
    labels: Shards,
    source_outcomes: Any,
) -> dict[str, Any]:
    """The outcomes of all sources, and the amount of training data, for the report."""
    from xmodal_kedro.reports.transfer.report import describe_sources as describe

    tables = (videos, rejected_videos, unclipped_videos, cut_short_videos, near_duplicates)
    return describe(*tables, clips, labels, source_outcomes)


def describe_training(
    label_vocabulary: DataFrame,
    label_metrics: dict[str, float],
    label_histogram: Any,
    model_card: dict[str, Any],
    training_history: DataFrame,
    training_curves: Any,
) -> dict[str, Any]:
    """Training data and training curves of the network, for the report."""
    from xmodal_kedro.reports.transfer.report import describe_training as describe

    return describe(label_vocabulary, label_metrics, label_histogram, model_card, training_history, training_curves)


def describe_results(
    transfer_results: DataFrame,
    transfer_predictions: DataFrame,
    transfer_gains: DataFrame,
    leak_check: dict[str, Any],
    confusion_matrix: Any,
    gain_intervals: Any,
    class_gains: Any,
    embedding_map: Any,
) -> dict[str, Any]:
    """Results of the network on the benchmark, its gains over comparisons and their confidence, for the report."""
    from xmodal_kedro.reports.transfer.report import ResultPlots
    from xmodal_kedro.reports.transfer.report import describe_results as describe

    plots = ResultPlots(confusion_matrix, gain_intervals, class_gains, embedding_map)
    return describe(transfer_results, transfer_predictions, transfer_gains, leak_check, plots)


def write_report(
    source_description: dict[str, Any],
    training_description: dict[str, Any],
    result_description: dict[str, Any],
    probe_strengths: DataFrame,
    run_provenance: dict[str, str],
) -> str:
    """The report of a network on a benchmark, as one self-contained HTML page."""
    from xmodal_kedro.reports.transfer.report import TransferReport, describe_strengths

    strengths = describe_strengths(probe_strengths)
    return TransferReport(
        source_description, training_description, result_description, strengths, run_provenance
    ).render()
