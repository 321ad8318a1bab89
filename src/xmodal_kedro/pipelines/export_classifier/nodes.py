"""Nodes of the pipeline `export_classifier`."""

from __future__ import annotations

from typing import Any


def export_classifier(
    classifier_weights: dict[str, Any], classifier_head: dict[str, Any], classifier_card: dict[str, Any]
) -> bytes:
    """The classifier with front end and head as an ONNX file.

    Raises:
        UserError: for a classifier on a teacher's embedding, whose network is not ours to write.
    """
    from xmodal_kedro.errors import UserError
    from xmodal_kedro.models.card_file import TEACHER
    from xmodal_kedro.models.classifier import restore_classifier
    from xmodal_kedro.models.export import export_onnx

    if classifier_card["representation"] == TEACHER:
        raise UserError(
            f"{classifier_card['classifier']} is on a teacher's embedding and cannot be exported: make it "
            "again with --params adapt.representation=network, or use its folder"
        )
    backbone, head = restore_classifier(classifier_card, classifier_weights, classifier_head)
    return export_onnx(backbone, classifier_card, head)


def write_classifier_card(classifier_card: dict[str, Any]) -> str:
    """The card for readers, in Markdown."""
    from xmodal_kedro.reports.model_card import describe_classifier

    return describe_classifier(classifier_card)
