"""Nodes of the pipeline `export`."""

from __future__ import annotations

from typing import Any


def export_model(model_weights: dict[str, Any], model_card: dict[str, Any]) -> bytes:
    """The trained network with its front end as an ONNX file."""
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.export import export_onnx

    return export_onnx(restore_backbone(model_card, model_weights), model_card)


def write_model_card(model_card: dict[str, Any]) -> str:
    """The model card for readers, in Markdown."""
    from xmodal_kedro.reports.model_card import describe_model

    return describe_model(model_card)
