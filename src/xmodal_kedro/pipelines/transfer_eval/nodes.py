"""Nodes of the pipeline `transfer_eval`: predictions on a benchmark, and their metrics."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import AudioTeacherCard, TransferParams
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def embed_references(
    benchmark_sounds: Shards,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    transfer_eval: TransferParams,
) -> ShardJobs:
    """Embeddings to compare every network with: log-mel statistics, and the teacher's embedding if it has one."""
    from xmodal_kedro.evaluation.embeddings import embed_benchmark
    from xmodal_kedro.evaluation.representations import LOG_MEL, TEACHER, LogMelStatistics, TeacherEmbedding
    from xmodal_kedro.teachers.opening import teacher_files

    references: dict[str, Any] = {LOG_MEL: LogMelStatistics()}
    if audio_teacher.output.embedding:
        files = teacher_files(audio_teacher, audio_teacher_files)
        references[TEACHER] = TeacherEmbedding(audio_teacher, files, transfer_eval.device)
    return embed_benchmark(benchmark_sounds, references, transfer_eval.batch_size)


def embed_sounds(
    benchmark_sounds: Shards,
    leak_check: dict[str, Any],
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    transfer_eval: TransferParams,
) -> ShardJobs:
    """Embed each file with the trained network, and with the same network at random initialisation."""
    from xmodal_kedro.evaluation.embeddings import embed_benchmark
    from xmodal_kedro.evaluation.representations import PRETRAINED, RANDOM, NetworkEmbedding, random_network
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.device import choose_device

    backbones = {
        PRETRAINED: restore_backbone(model_card, model_weights),
        RANDOM: random_network(model_card, transfer_eval.random_seed),
    }
    device = choose_device(transfer_eval.device, "transfer_eval.device")
    representations = {
        name: NetworkEmbedding(AudioModel.of(backbone, model_card, device)) for name, backbone in backbones.items()
    }
    return embed_benchmark(benchmark_sounds, representations, transfer_eval.batch_size)


def probe_folds(
    benchmark_files: Folder, benchmark_embeddings: Shards, reference_embeddings: Shards, transfer_eval: TransferParams
) -> tuple[DataFrame, DataFrame]:
    """Predict each test clip by linear probes of frozen embeddings; no rows without that protocol.

    Returns:
        The predictions, and the regularisation that each fold's probe was fitted with.
    """
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.predictions import no_predictions, no_strengths, probe_all

    if "linear_probe" not in transfer_eval.protocols:
        return no_predictions(), no_strengths()
    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    return probe_all(benchmark, {**benchmark_embeddings, **reference_embeddings}, transfer_eval.regularisation)


def classify_zero_shot(
    benchmark_files: Folder,
    benchmark_embeddings: Shards,
    reference_embeddings: Shards,
    model_card: dict[str, Any],
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    transfer_eval: TransferParams,
) -> DataFrame:
    """Predict each test clip by the classes of the network and of the teacher that match the benchmark's categories."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.predictions import classify_without_training, no_predictions
    from xmodal_kedro.evaluation.representations import PRETRAINED, TEACHER
    from xmodal_kedro.teachers.opening import scored_classes, teacher_files

    if "zero_shot" not in transfer_eval.protocols:
        return no_predictions()
    classes = {PRETRAINED: model_card["classes"]}
    if audio_teacher.output.embedding:
        scored = scored_classes(audio_teacher, teacher_files(audio_teacher, audio_teacher_files))
        classes[TEACHER] = [named.label for named in scored]
    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    return classify_without_training(benchmark, {**benchmark_embeddings, **reference_embeddings}, classes)


def fine_tune_folds(
    benchmark_files: Folder,
    benchmark_sounds: Shards,
    leak_check: dict[str, Any],
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    transfer_eval: TransferParams,
) -> ShardJobs:
    """Train the whole network on each split, from pretrained and from random weights; no jobs without that protocol."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.fine_tune import fine_tune_benchmark
    from xmodal_kedro.models.card import restore_backbone

    if "fine_tune" not in transfer_eval.protocols:
        return {}
    restore_backbone(model_card, model_weights)  # weights and card must fit each other
    return fine_tune_benchmark(
        read_benchmark(benchmark_files, transfer_eval.benchmark),
        benchmark_sounds,
        model_card,
        model_weights,
        transfer_eval.fine_tune,
        transfer_eval.random_seed,
        transfer_eval.device,
    )


def measure(
    benchmark_files: Folder,
    probe_predictions: DataFrame,
    zero_shot_predictions: DataFrame,
    fine_tune_predictions: Shards,
    model_card: dict[str, Any],
    transfer_eval: TransferParams,
) -> tuple[DataFrame, DataFrame, DataFrame, dict[str, float]]:
    """Evaluate the predictions.

    Returns:
        The metrics of each fold; the prediction of each clip by each protocol; the gains of the trained network over
        each comparison; and the summary of all.
    """
    import pandas as pd

    from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE, read_benchmark
    from xmodal_kedro.evaluation.statistics import all_gains, fold_values, summarise

    name = transfer_eval.benchmark
    tuned = [shard().to_pandas() for shard in fine_tune_predictions.values()]
    predictions = pd.concat([probe_predictions, zero_shot_predictions, *tuned], ignore_index=True)
    benchmark, measures = read_benchmark(benchmark_files, name), CATALOGUE[name].measures
    values = fold_values(predictions, measures)
    gains = all_gains(values, predictions, benchmark.splits, measures)
    named = {"benchmark": name, "model": model_card["model"]}
    return (
        values.assign(complete=benchmark.complete, **named),
        predictions,
        gains.assign(**named),
        summarise(name, values, gains),
    )
