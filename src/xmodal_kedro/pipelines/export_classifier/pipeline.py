"""The pipeline `export_classifier`: a classifier to ONNX, and its card for readers."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import export_classifier, write_classifier_card


def create_pipeline(**_kwargs: object) -> Pipeline:
    """classifier_weights, classifier_head, classifier_card -> classifier_onnx, classifier_readme"""
    return Pipeline(
        [
            Node(
                export_classifier,
                inputs=["classifier_weights", "classifier_head", "classifier_card"],
                outputs="classifier_onnx",
                name="export_classifier",
            ),
            Node(
                write_classifier_card,
                inputs="classifier_card",
                outputs="classifier_readme",
                name="write_classifier_card",
            ),
        ]
    )
