"""The pipeline `compare`: which merge rule gives the labels that a network learns most from."""

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
REVIEWED = "earlier_thresholds"
RULES = ("params:merge_labels", "params:compare")
BENCHMARK = ("benchmark_files", "benchmark_sounds")
TRAINED_ON = ("videos", "signatures", "params:near_duplicates")
JUDGED = ("compare_results", "compare_gains", "compare_metrics")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Merge labels by each rule, train on them, probe all networks on one benchmark, and report the best rule."""
    return Pipeline([*_merge(), *_train(), *_judge()])


def _merge() -> list[Node]:
    teachers = ["visual_classes", "audio_classes", "sound_ontology", "params:merge_labels"]
    targets = [*LABELS, "compare_plans", "compare_vocabularies", "near_duplicates"]
    counted = ["compare_plans", "compare_surveys", "compare_target_counts"]
    return [
        Node(match_classes, teachers, list(CLASSES), name="match_classes_of_rules"),
        Node(survey_rules, [*LABELS, *CLASSES, REVIEWED, *RULES], "compare_surveys", name="survey_rules"),
        Node(plan_rules, [*CLASSES, "compare_surveys", REVIEWED, *RULES], "compare_plans", name="plan_rules"),
        Node(count_rules, [*LABELS, "compare_plans"], "compare_target_counts", name="count_rules"),
        Node(choose_classes, counted, "compare_vocabularies", name="choose_classes"),
        Node(merge_rules, targets, "compare_labels", name="merge_rules"),
    ]


def _train() -> list[Node]:
    compared = [*BENCHMARK, "benchmark_signatures", *TRAINED_ON, "params:transfer_eval"]
    labelled = ["clips", "compare_labels", "compare_vocabularies", "compare_leak_check"]
    trained = [*BENCHMARK, "compare_leak_check", "compare_networks", "params:train", "params:transfer_eval"]
    return [
        Node(decode_benchmark, ["benchmark_files", "params:transfer_eval"], "benchmark_sounds", name="decode_sounds"),
        Node(sign_benchmark, "benchmark_sounds", "benchmark_signatures", name="sign_sounds"),
        Node(refuse_leaks, compared, "compare_leak_check", name="refuse_leaks_of_rules"),
        Node(train_rules, [*labelled, "params:train", "params:compare"], "compare_networks", name="train_rules"),
        Node(probe_rules, [*trained, "params:compare"], "compare_predictions", name="probe_rules"),
    ]


def _judge() -> list[Node]:
    networks = ["benchmark_files", "compare_networks", "compare_predictions", "params:train", "params:transfer_eval"]
    shown = ["benchmark_files", *JUDGED, "rule_accuracies", "params:transfer_eval"]
    return [
        Node(judge_rules, networks, list(JUDGED), name="judge_rules"),
        Node(plot_rules, ["compare_results", "compare_predictions"], "rule_accuracies", name="plot_rules"),
        Node(write_compare_report, shown, "compare_report", name="write_compare_report"),
    ]
