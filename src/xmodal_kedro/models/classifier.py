"""A classifier of one's own: a linear head on what a trained network, or a teacher, makes of a sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import digest, restore_backbone
from xmodal_kedro.models.card_file import FINE_TUNED, HEAD_NAME

AGAIN = "run the adapt pipeline again"


def restore_classifier(
    card: Mapping[str, Any], weights: Mapping[str, Tensor], head: Mapping[str, Tensor]
) -> tuple[Backbone, nn.Linear | None]:
    """The backbone and the head of a classifier on a network, in evaluation mode; no head if it was fine-tuned.

    Args:
        card: of the classifier.
        weights: of the backbone.
        head: `weight` and `bias`.

    Raises:
        UserError: if card, weights and head do not belong together.
    """
    if card["representation"] == FINE_TUNED:
        return restore_backbone(card, weights), None
    backbone = restore_backbone(card["backbone"], weights)
    if card["backbone"]["weights_digest"] != card["weights_digest"]:
        raise UserError(f"the classifier's card names two networks: {AGAIN}")
    return backbone, restore_head(card, head)


def restore_head(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Linear:
    """The head of a classifier's card.

    Raises:
        UserError: if the tensors are those of another classifier.
    """
    found = digest(tensors)
    if found != card["head_digest"]:
        raise UserError(
            f"{HEAD_NAME} and the card are of different classifiers (head {found}, card {card['head_digest']}): {AGAIN}"
        )
    classes, features = tensors["weight"].shape
    head = nn.Linear(features, classes)
    head.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return head.eval()


def read_head(file: Path) -> dict[str, Tensor]:
    """The tensors of a head.

    Raises:
        FileNotFoundError: naming the file, if it is not there.
        UserError: if it is broken.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: a classifier is its folder with all files; copy it, or {AGAIN}")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise UserError(f"{file} is no safetensors file ({error}): copy it again, or {AGAIN}") from error


def linear(weight_CF: Tensor, bias_C: Tensor) -> dict[str, Tensor]:
    """The tensors of a head, as they are stored."""
    return {"weight": weight_CF.to(torch.float32).contiguous(), "bias": bias_C.to(torch.float32).contiguous()}
