"""The pipeline `adapt`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import (
    collect_sounds,
    collect_targets,
    embed_clips,
    evaluate_heads,
    fine_tune_network,
    make_classifier,
    plot_classifier,
    write_report,
)

NETWORK = ("model_weights", "model_card")
TEACHER = ("audio_teacher_files", "params:audio_teacher")
PLOTS = ("adapt_confusion", "adapt_calibration", "adapt_learning_curve")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """labelled clips, a trained network -> a classifier, and the report on it"""
    return Pipeline(
        [
            Node(
                collect_sounds,
                inputs=["labelled_files", "confirmed_clips", "params:adapt"],
                outputs="adapt_sounds",
                name="collect_sounds",
            ),
            Node(
                collect_targets,
                inputs=["labelled_files", "confirmed_clips", "adapt_sounds", "params:adapt"],
                outputs="adapt_targets",
                name="collect_targets",
            ),
            Node(
                embed_clips,
                inputs=["adapt_sounds", *NETWORK, *TEACHER, "params:adapt"],
                outputs="adapt_embeddings",
                name="embed_clips",
            ),
            Node(
                fine_tune_network,
                inputs=["adapt_targets", "adapt_sounds", *NETWORK, "params:adapt"],
                outputs="adapt_trainings",
                name="fine_tune_network",
            ),
            Node(
                evaluate_heads,
                inputs=["adapt_targets", "adapt_embeddings", "adapt_trainings", "params:adapt"],
                outputs=[
                    "adapt_choice",
                    "adapt_results",
                    "adapt_predictions",
                    "adapt_classes",
                    "adapt_curve",
                    "adapt_metrics",
                ],
                name="evaluate_heads",
            ),
            Node(
                make_classifier,
                inputs=["adapt_choice", "adapt_trainings", *NETWORK, *TEACHER, "params:adapt"],
                outputs=["classifier_weights", "classifier_head", "classifier_teacher", "classifier_card"],
                name="make_classifier",
            ),
            Node(
                plot_classifier,
                inputs=["adapt_predictions", "adapt_curve", "adapt_targets"],
                outputs=list(PLOTS),
                name="plot_classifier",
            ),
            Node(
                write_report,
                inputs=[
                    "classifier_card",
                    "adapt_results",
                    "adapt_predictions",
                    "adapt_classes",
                    "adapt_curve",
                    *PLOTS,
                ],
                outputs="adapt_report",
                name="write_report",
            ),
        ]
    )
