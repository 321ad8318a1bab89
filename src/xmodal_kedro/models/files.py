"""A trained network from its two files: weights (safetensors) and the card beside them (JSON)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.models.classifier import HEAD_NAME, TEACHER, is_classifier, read_head, restore_classifier

logger = logging.getLogger(__name__)

WEIGHTS_NAME = "weights.safetensors"
CARD_NAME = "card.json"
THRESHOLDS_NAME = "thresholds.json"


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


def read_card(card_file: Path) -> dict[str, Any]:
    """Read the card of a network or a classifier.

    Raises:
        FileNotFoundError: if it is not there.
        UserError: if it is broken.
    """
    _require(card_file)
    try:
        card: dict[str, Any] = json.loads(card_file.read_bytes())
    except ValueError as error:
        raise UserError(f"{card_file} is no JSON ({error}): copy it again, or run the train pipeline again") from error
    return card


def read_model(weights_file: Path, card_file: Path) -> StoredNetwork:
    """Read a network and its card; of a classifier of one's own, also the head beside them.

    Raises:
        FileNotFoundError: naming the file that is not there.
        UserError: if one of them is broken, or they do not belong together.
    """
    _require(weights_file)
    card = read_card(card_file)
    try:
        weights = load_file(weights_file)
    except SafetensorError as error:
        raise UserError(
            f"{weights_file} is no safetensors file ({error}): copy it again, or run the train pipeline again"
        ) from error
    if not is_classifier(card):
        stated = _read_thresholds(weights_file.with_name(THRESHOLDS_NAME))
        return StoredNetwork(restore_backbone(card, weights), with_thresholds(card, stated), None)
    if card["representation"] == TEACHER:
        raise UserError(f"{card_file} is that of a classifier on a teacher's embedding: load its folder")
    tensors = read_head(weights_file.with_name(HEAD_NAME)) if card.get("head_digest") else {}
    backbone, head = restore_classifier(card, weights, tensors)
    return StoredNetwork(backbone, card, head)


def with_thresholds(card: dict[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """A network's card with thresholds of the pipeline `tag_thresholds`; as it is, if there are none.

    Those of another network, such as of one before it was trained again, are not used, which a warning says.

    Args:
        stated: as `review.tags.tag_thresholds` makes them; empty without any.
    """
    if not stated:
        return card
    if stated.get("weights_digest") != card["weights_digest"]:
        logger.warning("%s is of another network and not used: run the pipeline tag_thresholds again", THRESHOLDS_NAME)
        return card
    return card | {name: stated[name] for name in ("precision", "thresholds")}


def _read_thresholds(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        stated: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{file} is no JSON ({error}): run the pipeline tag_thresholds again, or delete it") from error
    return stated


def _require(file: Path) -> None:
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is missing: a trained network is {WEIGHTS_NAME} with {CARD_NAME} beside it; copy both, or "
            f"{_trained_here()}"
        )


def _trained_here() -> str:
    """What to do about a network that is not where it was looked for."""
    found = sorted({file.parent.as_posix() for file in Path("data").glob(f"**/06_models/*/{WEIGHTS_NAME}")})
    return f"name one of those here: {', '.join(found)}" if found else "run the train pipeline"
