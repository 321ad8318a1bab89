"""Nodes of `merge_labels` for the report on the labels."""

from __future__ import annotations

from functools import partial
from typing import Any

from xmodal_kedro.labels.summary import LabelSummary
from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, Shards


def summarise_labels(
    labels: Shards, visual_labels: Shards, audio_labels: Shards, label_vocabulary: DataFrame, dropped_classes: DataFrame
) -> tuple[LabelSummary, dict[str, float]]:
    """Sums over the metadata of all shards, and metrics from them for tracking."""
    from xmodal_kedro.labels.metrics import label_metrics
    from xmodal_kedro.labels.summary import summarise

    summary = summarise(labels, visual_labels, audio_labels)
    return summary, label_metrics(summary, label_vocabulary, dropped_classes)


def plot_labels(
    label_vocabulary: DataFrame,
    label_summary: LabelSummary,
    label_survey: Shards,
    class_associations: DataFrame,
    merge_labels: MergeParams,
) -> tuple[Any, Any, Any]:
    """Class frequencies, distribution of scores, and co-occurrence of classes, as plotly figures."""
    from xmodal_kedro.reports.labels import plots

    return (
        plots.label_histogram(label_vocabulary, label_summary),
        plots.plot_scores(label_survey),
        plots.association_matrix(class_associations, merge_labels.agreement),
    )


def read_shown_clips(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    videos: DataFrame,
    label_summary: LabelSummary,
    merge_labels: MergeParams,
) -> tuple[Any, str]:
    """A random sample and the most contradictory clips, for the report and as a contact sheet in HTML."""
    from xmodal_kedro.reports.labels.clip_views import LabelledClips
    from xmodal_kedro.reports.labels.contact_sheet import ShownClips

    source = LabelledClips(clips, visual_labels, audio_labels, labels, label_vocabulary, videos, merge_labels)
    examples = ShownClips(source.views(label_summary["random"]), source.views(label_summary["contradictory"]))
    return examples, examples.sheet()


def list_labels(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    videos: DataFrame,
    merge_plan: Any,
    merge_labels: MergeParams,
) -> Any:
    """A job that writes what was seen and heard where, of all recordings."""
    from xmodal_kedro.exports.labels_table import labels_by_recording
    from xmodal_kedro.labels.evidence import supporting_labels

    teachers = {"visual": visual_labels, "audio": audio_labels}
    supporting = supporting_labels(merge_plan)
    return partial(labels_by_recording, clips, teachers, videos[["video_id", "uri"]], merge_labels, supporting)


def describe_labels(
    label_summary: LabelSummary,
    label_metrics: dict[str, float],
    label_vocabulary: DataFrame,
    candidate_classes: DataFrame,
    dropped_classes: DataFrame,
    class_thresholds: DataFrame,
    class_associations: DataFrame,
    merge_labels: MergeParams,
) -> dict[str, Any]:
    """The numbers and tables of the report."""
    from xmodal_kedro.reports.labels import report

    return report.describe_labels(
        label_summary,
        label_metrics,
        label_vocabulary,
        candidate_classes,
        dropped_classes,
        class_thresholds,
        class_associations,
        merge_labels,
    )


def write_label_report(
    label_description: dict[str, Any],
    shown_clips: Any,
    label_histogram: Any,
    label_scores: Any,
    association_matrix: Any,
) -> str:
    """The report on the labels, with clips to look at and listen to, as one self-contained HTML page."""
    from xmodal_kedro.reports.labels.report import LabelReport

    return LabelReport(label_description, shown_clips, label_histogram, label_scores, association_matrix).render()
