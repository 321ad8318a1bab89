"""Nodes of `merge_labels` that show what the labels are worth."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.labels.summary import LabelSummary
from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, Shards


def summarise_labels(labels: Shards, visual_labels: Shards, audio_labels: Shards) -> LabelSummary:
    """Add up what every shard tells of itself."""
    from xmodal_kedro.labels.summary import summarise

    return summarise(labels, visual_labels, audio_labels)


def measure_labels(
    label_summary: LabelSummary, label_vocabulary: DataFrame, dropped_classes: DataFrame
) -> dict[str, float]:
    """The labels in a few numbers, for tracking."""
    from xmodal_kedro.labels.metrics import label_metrics

    return label_metrics(label_summary, label_vocabulary, dropped_classes)


def plot_labels(
    label_vocabulary: DataFrame,
    label_summary: LabelSummary,
    label_survey: Shards,
    class_associations: DataFrame,
    merge_labels: MergeParams,
) -> tuple[Any, Any, Any]:
    """How often each class occurs, how sure the teachers are, and which classes occur together, as plotly figures."""
    from xmodal_kedro.reports.labels.association_matrix import association_matrix
    from xmodal_kedro.reports.labels.histogram import label_histogram
    from xmodal_kedro.reports.labels.scores import plot_scores

    return (
        label_histogram(label_vocabulary, label_summary),
        plot_scores(label_survey),
        association_matrix(class_associations, merge_labels.agreement),
    )


def draw_contact_sheet(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    label_summary: LabelSummary,
    merge_labels: MergeParams,
) -> str:
    """A random sample and the most contradictory clips, as HTML."""
    from xmodal_kedro.reports.labels.clip_views import LabelledClips
    from xmodal_kedro.reports.labels.contact_sheet import contact_sheet

    source = LabelledClips(clips, visual_labels, audio_labels, labels, label_vocabulary, merge_labels)
    return contact_sheet(
        [
            ("A random sample", source.views(label_summary["random"])),
            ("The most contradictory clips", source.views(label_summary["contradictory"])),
        ]
    )


def write_label_report(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_summary: LabelSummary,
    label_metrics: dict[str, float],
    label_vocabulary: DataFrame,
    candidate_classes: DataFrame,
    dropped_classes: DataFrame,
    class_thresholds: DataFrame,
    class_associations: DataFrame,
    label_histogram: Any,
    label_scores: Any,
    association_matrix: Any,
    merge_labels: MergeParams,
) -> str:
    """What the labels are worth, to see and to hear, as one HTML page that needs no network."""
    from xmodal_kedro.reports.labels.clip_views import LabelledClips
    from xmodal_kedro.reports.labels.label_report import LabelReportInputs, render

    source = LabelledClips(clips, visual_labels, audio_labels, labels, label_vocabulary, merge_labels)
    return render(
        LabelReportInputs(
            label_summary,
            label_metrics,
            label_vocabulary,
            candidate_classes,
            dropped_classes,
            class_thresholds,
            class_associations,
            label_histogram,
            label_scores,
            association_matrix,
            merge_labels,
            source.views(label_summary["random"]),
            source.views(label_summary["contradictory"]),
        )
    )
