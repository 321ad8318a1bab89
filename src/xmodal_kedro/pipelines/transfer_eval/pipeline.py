"""The pipeline `transfer_eval`: weights and a benchmark to what pretraining is worth, and the report."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from xmodal_kedro.evaluation.leaks import refuse_leaks, sign_benchmark
from xmodal_kedro.evaluation.sounds import decode_benchmark

from .nodes import (
    classify_zero_shot,
    embed_references,
    embed_sounds,
    fine_tune_folds,
    measure,
    probe_folds,
)
from .reporting import (
    REPORTED,
    map_embeddings,
    plot_class_gains,
    plot_confusion,
    plot_gains,
    tabulate_calls,
    write_report,
)


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Decode the benchmark, look for leaks, embed, probe, compare, and report."""
    return Pipeline([*_prepare(), *_judge(), *_report()])


def _prepare() -> list[Node]:
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
            outputs="leak_check",
            name="refuse_leaks",
        ),
        Node(
            embed_references,
            inputs=["benchmark_sounds", "audio_teacher_files", "params:audio_teacher", "params:transfer_eval"],
            outputs="reference_embeddings",
            name="embed_references",
        ),
        Node(
            embed_sounds,
            inputs=["benchmark_sounds", "leak_check", "model_weights", "model_card", "params:transfer_eval"],
            outputs="benchmark_embeddings",
            name="embed_sounds",
        ),
    ]


def _judge() -> list[Node]:
    return [
        Node(
            probe_folds,
            inputs=["benchmark_files", "benchmark_embeddings", "reference_embeddings", "params:transfer_eval"],
            outputs="probe_predictions",
            name="probe_folds",
        ),
        Node(
            classify_zero_shot,
            inputs=[
                "benchmark_files",
                "benchmark_embeddings",
                "reference_embeddings",
                "model_card",
                "audio_teacher_files",
                "params:audio_teacher",
                "params:transfer_eval",
            ],
            outputs="zero_shot_predictions",
            name="classify_zero_shot",
        ),
        Node(
            fine_tune_folds,
            inputs=[
                "benchmark_files",
                "benchmark_sounds",
                "leak_check",
                "model_weights",
                "model_card",
                "params:transfer_eval",
            ],
            outputs="fine_tune_predictions",
            name="fine_tune_folds",
        ),
        Node(
            measure,
            inputs=[
                "benchmark_files",
                "probe_predictions",
                "zero_shot_predictions",
                "fine_tune_predictions",
                "model_card",
                "params:transfer_eval",
            ],
            outputs=["transfer_results", "transfer_predictions", "transfer_gains", "transfer_metrics"],
            name="measure",
        ),
    ]


def _report() -> list[Node]:
    return [
        Node(plot_confusion, inputs="transfer_predictions", outputs="confusion_matrix", name="plot_confusion"),
        Node(plot_gains, inputs="transfer_gains", outputs="gain_intervals", name="plot_gains"),
        Node(plot_class_gains, inputs="transfer_predictions", outputs="class_gains", name="plot_class_gains"),
        Node(
            tabulate_calls,
            inputs="transfer_predictions",
            outputs=["confusion_pairs", "class_accuracies"],
            name="tabulate_calls",
        ),
        Node(
            map_embeddings,
            inputs=["benchmark_files", "benchmark_embeddings", "params:transfer_eval"],
            outputs="embedding_map",
            name="map_embeddings",
        ),
        Node(write_report, inputs=list(REPORTED), outputs="transfer_report", name="write_report"),
    ]
