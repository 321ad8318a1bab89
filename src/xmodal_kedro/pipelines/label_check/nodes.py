"""Nodes of `label_check`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame, Shards


def relate_classes(candidate_classes: DataFrame, label_classes: DataFrame, sound_ontology: DataFrame) -> Any:
    """What the classes of both teachers and of the truth stand for."""
    from xmodal_kedro.labels.check.meaning import Meaning

    return Meaning(candidate_classes, label_classes, sound_ontology)


def find_true_clips(truth: DataFrame, videos: DataFrame, clips: Shards, class_meaning: Any) -> DataFrame:
    """Check the truth, and find the clips that it is about."""
    from xmodal_kedro.labels.check import truth as truths

    checked = truths.read_truth(truth)
    truths.require_known_classes(checked, class_meaning)
    return truths.find_clips(checked, videos, clips)


def judge_labels(
    clip_truth: DataFrame,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    class_meaning: Any,
    merge_labels: MergeParams,
) -> tuple[DataFrame, DataFrame]:
    """Measure how often labels and targets are right, by class and by score."""
    from xmodal_kedro.labels.check.calibration import reliability
    from xmodal_kedro.labels.check.quality import measure
    from xmodal_kedro.labels.check.statements import collect_statements

    statements = collect_statements(
        clip_truth, visual_labels, audio_labels, labels, label_vocabulary, class_meaning, merge_labels
    )
    return measure(statements, class_meaning), reliability(statements, class_meaning)


def summarise_check(
    label_quality: DataFrame, label_reliability: DataFrame, clip_truth: DataFrame
) -> tuple[dict[str, float], Any, str]:
    """The averages as metrics, a plotly figure of the calibration, and a page."""
    from xmodal_kedro.labels.check.calibration import reliability_diagram
    from xmodal_kedro.labels.check.summary import metrics, report

    diagram = reliability_diagram(label_reliability)
    return metrics(label_quality, label_reliability), diagram, report(label_quality, diagram, clip_truth)
