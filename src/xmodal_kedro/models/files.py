"""A trained network from its two files: weights (safetensors) and the card beside them (JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.models.card_file import HEAD_NAME, TEACHER, is_classifier, read_card, require
from xmodal_kedro.models.classifier import read_head, restore_classifier


class StoredNetwork(NamedTuple):
    """A network from its files, in evaluation mode on the CPU.

    Attributes:
        backbone: the network.
        card: its card.
        head: that of a classifier of one's own; None for a network that `train` made, or that was fine-tuned.
    """

    backbone: Backbone
    card: dict[str, Any]
    head: nn.Linear | None


def read_model(weights_file: Path, card_file: Path) -> StoredNetwork:
    """Read a network and its card; of a classifier of one's own, also the head beside them.

    Raises:
        FileNotFoundError: naming the file that is not there.
        UserError: if one of them is broken, or they do not belong together.
    """
    require(weights_file)
    card = read_card(card_file)
    try:
        weights = load_file(weights_file)
    except SafetensorError as error:
        raise UserError(
            f"{weights_file} is no safetensors file ({error}): copy it again, or run the train pipeline again"
        ) from error
    if not is_classifier(card):
        return StoredNetwork(restore_backbone(card, weights), card, None)
    if card["representation"] == TEACHER:
        raise UserError(f"{card_file} is that of a classifier on a teacher's embedding: load its folder")
    tensors = read_head(weights_file.with_name(HEAD_NAME)) if card.get("head_digest") else {}
    backbone, head = restore_classifier(card, weights, tensors)
    return StoredNetwork(backbone, card, head)
