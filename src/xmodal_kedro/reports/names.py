"""Names of protocols, representations, measures, rules and benchmarks, for readers."""

from __future__ import annotations

from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.evaluation.rule_trials import UNTRAINED

NAMES = {
    "linear_probe": "linear probe",
    "fine_tune": "fine-tuned",
    "zero_shot": "zero-shot",
    "pretrained": "pretrained",
    "random": "random weights",
    "scratch": "from scratch",
    "log_mel": "log-mel statistics",
    "teacher": "audio teacher",
}
"""Of protocols and representations."""
METHODS = {
    "linear_probe": "a linear model on frozen embeddings",
    "fine_tune": "training the whole network on it",
    "zero_shot": "taking the network's own classes for those of the benchmark",
}
"""What each protocol does."""
MEASURES = {
    "accuracy": "Accuracy",
    "class_accuracy": "Mean accuracy of classes",
    "class_precision": "Mean precision of classes",
}
RULES = {
    "visual_only": "the visual teacher",
    "audio_only": "the audio teacher",
    "union": "either teacher (union)",
    "agreement": "both teachers (agreement)",
    UNTRAINED: "nothing (random weights)",
}
"""Of rules of merging: labels of..."""


def benchmark_title(benchmark: str, complete: bool) -> str:
    """A benchmark's name; of a part of it, or of other sounds in the layout of its folder, what they are."""
    known = CATALOGUE[benchmark].title
    return known if complete or benchmark == "csv" else f"sounds in the layout of {known}"


def rule_name(rule: str) -> str:
    """A rule's name, or its code where it has no other."""
    return RULES.get(rule, rule)
