"""Nodes of the pipeline `transfer_eval`: from a benchmark to what was predicted, and what that says."""

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
    """What every network is compared with: log-mel statistics, and the teacher's own embedding where it has one."""
    from xmodal_kedro.evaluation.embeddings import embed_benchmark
    from xmodal_kedro.evaluation.representations import LOG_MEL, TEACHER, LogMelStatistics, TeacherEmbedding
    from xmodal_kedro.teachers.protocol import teacher_files

    references: dict[str, Any] = {LOG_MEL: LogMelStatistics()}
    if audio_teacher.output.embedding:
        files = teacher_files(audio_teacher, audio_teacher_files)
        references[TEACHER] = TeacherEmbedding(audio_teacher, files, transfer_eval.device)
    return embed_benchmark(benchmark_sounds, references, transfer_eval.batch_size)


def embed_sounds(
    benchmark_sounds: Shards,
    leak_check: dict[str, int],
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    transfer_eval: TransferParams,
) -> ShardJobs:
    """Embed each sound with the trained network and with the same network at random initialisation."""
    from xmodal_kedro.evaluation.embeddings import embed_benchmark
    from xmodal_kedro.evaluation.representations import PRETRAINED, RANDOM, NetworkEmbedding, random_network
    from xmodal_kedro.models.card import load_model
    from xmodal_kedro.models.device import choose_device

    networks = {
        PRETRAINED: load_model(model_card, model_weights),
        RANDOM: random_network(model_card, transfer_eval.random_seed),
    }
    device = choose_device(transfer_eval.device, "transfer_eval.device")
    log_offset = model_card["front_end"]["log_offset"]
    represented = {name: NetworkEmbedding(network, log_offset, device) for name, network in networks.items()}
    return embed_benchmark(benchmark_sounds, represented, transfer_eval.batch_size)


def probe_folds(
    benchmark_files: Folder, benchmark_embeddings: Shards, reference_embeddings: Shards, transfer_eval: TransferParams
) -> DataFrame:
    """What linear models on frozen embeddings call each test clip; none where that protocol is not asked for."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.predictions import no_predictions, probe_all

    if "linear_probe" not in transfer_eval.protocols:
        return no_predictions()
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
    """What the network's own classes, and the teacher's, call each test clip that they have a name for."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.predictions import classify_without_training, no_predictions
    from xmodal_kedro.evaluation.representations import PRETRAINED, TEACHER
    from xmodal_kedro.teachers.protocol import scored_classes, teacher_files

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
    leak_check: dict[str, int],
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    transfer_eval: TransferParams,
) -> ShardJobs:
    """Train the whole network on each split, from pretrained weights and from random ones, where that is asked for."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.fine_tune import fine_tune_benchmark
    from xmodal_kedro.models.card import load_model

    if "fine_tune" not in transfer_eval.protocols:
        return {}
    load_model(model_card, model_weights)  # weights and card must fit each other
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
    """Count what was right.

    Returns:
        Each measure of each fold; what each clip was called by each protocol; how far the trained network is ahead
        of each comparison; and the summary of it all.
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
