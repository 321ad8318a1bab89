"""Nodes of `label_check`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, Shards


def find_true_clips(
    truth: DataFrame,
    videos: DataFrame,
    clips: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    sound_ontology: DataFrame,
) -> tuple[DataFrame, Any]:
    """Check the truth and match it to clips. Returns `clip_truth`, and the `Meaning` of all class names."""
    from xmodal_kedro.labels.check import truth as truths
    from xmodal_kedro.labels.check.meaning import Meaning

    checked = truths.read_truth(truth)
    meaning = Meaning(candidate_classes, label_classes, sound_ontology)
    truths.require_known_classes(checked, meaning)
    return truths.find_clips(checked, videos, clips), meaning


def evaluate_labels(
    clip_truth: DataFrame,
    class_meaning: Any,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    merge_labels: MergeParams,
) -> tuple[DataFrame, DataFrame]:
    """Measure how often labels and targets are right, by class and by score."""
    from xmodal_kedro.labels.check.calibration import reliability
    from xmodal_kedro.labels.check.quality import measure
    from xmodal_kedro.labels.check.statements import collect_statements

    stated = collect_statements(
        clip_truth, visual_labels, audio_labels, labels, label_vocabulary, class_meaning, merge_labels
    )
    return measure(stated, class_meaning), reliability(stated, class_meaning)


def report_check(
    label_quality: DataFrame, label_reliability: DataFrame, clip_truth: DataFrame
) -> tuple[dict[str, float], Any, str]:
    """The averages as metrics, a plotly figure of the calibration, and an HTML page."""
    from xmodal_kedro.labels.check.summary import metrics
    from xmodal_kedro.reports.label_check import LabelCheckReport, reliability_diagram

    diagram = reliability_diagram(label_reliability)
    page = LabelCheckReport(label_quality, clip_truth, diagram).render()
    return metrics(label_quality, label_reliability), diagram, page
