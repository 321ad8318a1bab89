"""The pipeline `export`: weights and card to ONNX, and to a model card for readers."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import export_model, write_model_card


def create_pipeline(**_kwargs: object) -> Pipeline:
    """model_weights, model_card -> model_onnx, model_readme"""
    return Pipeline(
        [
            Node(export_model, inputs=["model_weights", "model_card"], outputs="model_onnx", name="export_model"),
            Node(write_model_card, inputs="model_card", outputs="model_readme", name="write_model_card"),
        ]
    )
