"""The pipeline `compare`: labels of both teachers to which of them, or what of both, a network learns most from."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from xmodal_kedro.evaluation.leaks import refuse_leaks, sign_benchmark
from xmodal_kedro.evaluation.sounds import decode_benchmark
from xmodal_kedro.labels.match import match_classes

from .nodes import (
    choose_classes,
    count_rules,
    judge_rules,
    merge_rules,
    plan_rules,
    plot_rules,
    probe_rules,
    survey_rules,
    train_rules,
    write_compare_report,
)

LABELS = ("clips", "visual_labels", "audio_labels")
CLASSES = ("compare_candidate_classes", "compare_label_classes")
RULES = ("params:merge_labels", "params:compare")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Merge by each rule, train on each, judge all on one benchmark, and say which is best."""
    return Pipeline([*_merge(), *_train(), *_report()])


def _merge() -> list[Node]:
    return [
        Node(
            match_classes,
            inputs=["visual_classes", "audio_classes", "sound_ontology", "params:merge_labels"],
            outputs=list(CLASSES),
            name="match_classes_of_rules",
        ),
        Node(survey_rules, inputs=[*LABELS, *CLASSES, *RULES], outputs="compare_surveys", name="survey_rules"),
        Node(plan_rules, inputs=[*CLASSES, "compare_surveys", *RULES], outputs="compare_plans", name="plan_rules"),
        Node(count_rules, inputs=[*LABELS, "compare_plans"], outputs="compare_target_counts", name="count_rules"),
        Node(
            choose_classes,
            inputs=["compare_plans", "compare_surveys", "compare_target_counts"],
            outputs="compare_vocabularies",
            name="choose_classes",
        ),
        Node(
            merge_rules,
            inputs=[*LABELS, "compare_plans", "compare_vocabularies", "near_duplicates"],
            outputs="compare_labels",
            name="merge_rules",
        ),
    ]


def _train() -> list[Node]:
    return [
        Node(
            decode_benchmark,
            inputs=["benchmark_files", "params:transfer_eval"],
            outputs="benchmark_sounds",
            name="decode_sounds",
        ),
        Node(sign_benchmark, inputs="benchmark_sounds", outputs="benchmark_signatures", name="sign_sounds"),
        Node(
            refuse_leaks,
            inputs=[
                "benchmark_files",
                "benchmark_sounds",
                "benchmark_signatures",
                "videos",
                "signatures",
                "params:near_duplicates",
                "params:transfer_eval",
            ],
            outputs="compare_leak_check",
            name="refuse_leaks_of_rules",
        ),
        Node(
            train_rules,
            inputs=[
                "clips",
                "compare_labels",
                "compare_vocabularies",
                "compare_leak_check",
                "params:train",
                "params:compare",
            ],
            outputs="compare_networks",
            name="train_rules",
        ),
        Node(
            probe_rules,
            inputs=[
                "benchmark_files",
                "benchmark_sounds",
                "compare_leak_check",
                "compare_networks",
                "params:train",
                "params:transfer_eval",
                "params:compare",
            ],
            outputs="compare_predictions",
            name="probe_rules",
        ),
    ]


def _report() -> list[Node]:
    return [
        Node(
            judge_rules,
            inputs=[
                "benchmark_files",
                "compare_networks",
                "compare_predictions",
                "params:train",
                "params:transfer_eval",
            ],
            outputs=["compare_results", "compare_gains", "compare_metrics"],
            name="judge_rules",
        ),
        Node(
            plot_rules, inputs=["compare_results", "compare_predictions"], outputs="rule_accuracies", name="plot_rules"
        ),
        Node(
            write_compare_report,
            inputs=[
                "benchmark_files",
                "compare_results",
                "compare_gains",
                "compare_metrics",
                "rule_accuracies",
                "params:transfer_eval",
            ],
            outputs="compare_report",
            name="write_compare_report",
        ),
    ]
