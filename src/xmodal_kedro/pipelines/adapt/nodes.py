"""Nodes of the pipeline `adapt`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import AdaptParams, AudioTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def collect_sounds(labelled_files: Folder, confirmed_clips: DataFrame, adapt: AdaptParams) -> ShardJobs:
    """Decode the labelled clips, and keep the sound of those that reviewers confirmed, if they are learnt from."""
    from xmodal_kedro.adapt.sounds import learnt_from, sound_jobs
    from xmodal_kedro.evaluation.labelled import read_any

    labelled = read_any(labelled_files)
    return sound_jobs(labelled, labelled_files, learnt_from(confirmed_clips, labelled, labelled_files.root, adapt))


def collect_targets(
    labelled_files: Folder, confirmed_clips: DataFrame, adapt_sounds: Shards, adapt: AdaptParams
) -> Any:
    """What is known of the clips that have sound: `adapt.targets.Targets`."""
    from xmodal_kedro.adapt.sounds import decoded_clips
    from xmodal_kedro.adapt.targets import make_targets
    from xmodal_kedro.evaluation.labelled import groups_of_videos, read_any

    labelled = read_any(labelled_files)
    clips = decoded_clips(labelled, adapt_sounds)
    groups = groups_of_videos(clips, labelled_files) if len(confirmed_clips) else {}
    return make_targets(clips, confirmed_clips, adapt, groups)


def embed_clips(
    adapt_sounds: Shards,
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    adapt: AdaptParams,
) -> ShardJobs:
    """Embed the clips with the network, with the audio teacher if it gives an embedding, and as log-mel statistics."""
    from xmodal_kedro.adapt.evaluate import LOG_MEL
    from xmodal_kedro.evaluation.embeddings import embed_benchmark
    from xmodal_kedro.evaluation.representations import LogMelStatistics, NetworkEmbedding, TeacherEmbedding
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.card_file import NETWORK, TEACHER
    from xmodal_kedro.models.device import choose_device
    from xmodal_kedro.teachers.opening import teacher_files

    device = choose_device(adapt.device, "adapt.device")
    network = AudioModel.of(restore_backbone(model_card, model_weights), model_card, device)
    representations: dict[str, Any] = {NETWORK: NetworkEmbedding(network), LOG_MEL: LogMelStatistics()}
    if audio_teacher.output.embedding:
        files = teacher_files(audio_teacher, audio_teacher_files)
        representations[TEACHER] = TeacherEmbedding(audio_teacher, files, adapt.device)
    return embed_benchmark(adapt_sounds, representations, adapt.batch_size)


def fine_tune_network(
    adapt_targets: Any,
    adapt_sounds: Shards,
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    adapt: AdaptParams,
) -> ShardJobs:
    """Train the whole network without each fold, and on all clips; no jobs unless `adapt.mode` says so."""
    from xmodal_kedro.adapt.fine_tuned import fine_tune_jobs
    from xmodal_kedro.models.card import restore_backbone

    restore_backbone(model_card, model_weights)  # weights and card must fit each other
    return fine_tune_jobs(adapt_targets, adapt_sounds, model_card, model_weights, adapt)


def evaluate_heads(
    adapt_targets: Any, adapt_embeddings: Shards, adapt_trainings: Shards, adapt: AdaptParams
) -> tuple[Any, DataFrame, DataFrame, DataFrame, DataFrame, dict[str, float]]:
    """Classify each clip by what the other folds teach, with each representation, and choose the one that is used.

    Returns:
        What the classifier is made of; values by fold; predictions; classes with thresholds; the learning curve; and
        the metrics.
    """
    from xmodal_kedro.adapt.choice import evaluate_all

    return evaluate_all(adapt_targets, adapt_embeddings, adapt_trainings, adapt)


def make_classifier(
    adapt_choice: Any,
    adapt_trainings: Shards,
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    adapt: AdaptParams,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The classifier: weights of its network, its head, the files of its teacher, and its card; what it has no need of
    is empty."""
    from xmodal_kedro.adapt.choice import make_parts
    from xmodal_kedro.adapt.classifier import Network, TeacherOf

    network, teacher = Network(model_card, model_weights), TeacherOf(audio_teacher, audio_teacher_files)
    return make_parts(adapt_choice, adapt_trainings, network, teacher, adapt)


def plot_classifier(adapt_predictions: DataFrame, adapt_curve: DataFrame, adapt_targets: Any) -> tuple[Any, Any, Any]:
    """Confusion of classes, calibration of scores, and the learning curve, as plotly figures."""
    from xmodal_kedro.reports.adapt import plots

    exclusive = adapt_targets.exclusive
    return (
        plots.confusion(adapt_predictions, exclusive),
        plots.calibration(adapt_predictions, exclusive),
        plots.learning_curve(adapt_curve, exclusive),
    )


def write_report(
    classifier_card: dict[str, Any],
    adapt_results: DataFrame,
    adapt_predictions: DataFrame,
    adapt_classes: DataFrame,
    adapt_curve: DataFrame,
    adapt_confusion: Any,
    adapt_calibration: Any,
    adapt_learning_curve: Any,
) -> str:
    """How good the classifier is, what it mistakes, and what would make it better, as one self-contained HTML page."""
    from xmodal_kedro.reports.adapt.report import AdaptReport

    tables = (adapt_results, adapt_predictions, adapt_classes, adapt_curve)
    return AdaptReport(classifier_card, *tables, adapt_confusion, adapt_calibration, adapt_learning_curve).render()
