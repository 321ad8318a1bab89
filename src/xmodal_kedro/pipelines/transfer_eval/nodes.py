"""Nodes of the pipeline `transfer_eval`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from xmodal_kedro.handles import Folder, Shards
from xmodal_kedro.params import TransferParams


def embed_benchmark(
    benchmark_files: Folder, model_weights: dict[str, Any], model_card: dict[str, Any], transfer_eval: TransferParams
) -> pd.DataFrame:
    """Embed each clip of the benchmark with the trained network and with the same network at random initialisation."""
    from xmodal_kedro.benchmarks.compare import PRETRAINED, RANDOM
    from xmodal_kedro.benchmarks.embed import embed_files, random_network
    from xmodal_kedro.benchmarks.esc50 import read_benchmark
    from xmodal_kedro.models.card import load_model
    from xmodal_kedro.models.device import choose_device

    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    networks = {
        PRETRAINED: load_model(model_card, model_weights),
        RANDOM: random_network(model_card, transfer_eval.random_seed),
    }
    device = choose_device(transfer_eval.device, "transfer_eval.device")
    log_offset = model_card["front_end"]["log_offset"]
    embeddings = embed_files(benchmark.audio, networks, log_offset, transfer_eval.batch_size, device)
    return benchmark.clips.assign(**{name: list(rows) for name, rows in embeddings.items()})


def probe_folds(
    benchmark_embeddings: pd.DataFrame, model_card: dict[str, Any], transfer_eval: TransferParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Probe each official fold with a linear model fitted on the others.

    Returns:
        Accuracy of every fold, what every clip was called, and the summary of pretrained against random.
    """
    from xmodal_kedro.benchmarks.compare import fold_accuracies, summarise
    from xmodal_kedro.benchmarks.probe import probe_benchmark

    predictions = probe_benchmark(benchmark_embeddings, transfer_eval.benchmark, transfer_eval.regularisation)
    accuracies = fold_accuracies(predictions)
    results = accuracies.melt(var_name="initialisation", ignore_index=False).reset_index()
    results = results.assign(
        benchmark=transfer_eval.benchmark, model=model_card["model"], protocol="linear_probe", metric="accuracy"
    )
    return results, predictions, summarise(transfer_eval.benchmark, accuracies)


def plot_confusion(transfer_predictions: pd.DataFrame) -> Any:
    """Which classes the probes of the pretrained network confuse, as a plotly figure."""
    from xmodal_kedro.benchmarks.plots import confusion_matrix

    return confusion_matrix(transfer_predictions)


def write_report(
    videos: pd.DataFrame,
    rejected_videos: pd.DataFrame,
    clips: Shards,
    unclipped_videos: pd.DataFrame,
    cut_short_videos: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    source_outcomes: Any,
    labels: Shards,
    label_vocabulary: pd.DataFrame,
    label_metrics: dict[str, float],
    label_histogram: Any,
    model_card: dict[str, Any],
    training_history: pd.DataFrame,
    training_curves: Any,
    transfer_results: pd.DataFrame,
    transfer_predictions: pd.DataFrame,
    transfer_metrics: dict[str, float],
    confusion_matrix: Any,
) -> str:
    """Everything that a reader of the run wants to see, as one HTML page that needs no network."""
    from xmodal_kedro.benchmarks.report import ReportInputs, render

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
            transfer_results,
            transfer_predictions,
            transfer_metrics,
            confusion_matrix,
        )
    )
