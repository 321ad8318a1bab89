"""The pipeline `transfer_eval`: evaluation of weights on a benchmark, and the report."""

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
    describe_results,
    describe_sources,
    describe_training,
    map_embeddings,
    plot_results,
    write_report,
)

PLOTS = ("confusion_matrix", "gain_intervals", "class_gains")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """Decode the benchmark, check for leaks, embed, probe, compare, and report."""
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
            outputs=["probe_predictions", "probe_strengths"],
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
        Node(
            plot_results,
            inputs=["transfer_predictions", "transfer_gains"],
            outputs=[*PLOTS, "confusion_pairs", "class_accuracies"],
            name="plot_results",
        ),
        Node(
            map_embeddings,
            inputs=["benchmark_files", "benchmark_embeddings", "params:transfer_eval"],
            outputs="embedding_map",
            name="map_embeddings",
        ),
        Node(
            describe_sources,
            inputs=[
                "videos",
                "rejected_videos",
                "unclipped_videos",
                "cut_short_videos",
                "near_duplicates",
                "clips",
                "labels",
                "source_outcomes",
            ],
            outputs="source_description",
            name="describe_sources",
        ),
        Node(
            describe_training,
            inputs=[
                "label_vocabulary",
                "label_metrics",
                "label_histogram",
                "model_card",
                "training_history",
                "training_curves",
            ],
            outputs="training_description",
            name="describe_training",
        ),
        Node(
            describe_results,
            inputs=[
                "transfer_results",
                "transfer_predictions",
                "transfer_gains",
                "leak_check",
                *PLOTS,
                "embedding_map",
            ],
            outputs="result_description",
            name="describe_results",
        ),
        Node(
            write_report,
            inputs=[
                "source_description",
                "training_description",
                "result_description",
                "probe_strengths",
                "run_provenance",
            ],
            outputs="transfer_report",
            name="write_report",
        ),
    ]
