"""A trained network from its two files: weights (safetensors) and the card beside them (JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import restore_backbone

WEIGHTS_NAME = "weights.safetensors"
CARD_NAME = "card.json"


def read_model(weights_file: Path, card_file: Path) -> tuple[Backbone, dict[str, Any]]:
    """Read a network, in evaluation mode on the CPU, and its card.

    Raises:
        FileNotFoundError: naming the file that is not there.
        UserError: if one of them is broken, or they do not belong together.
    """
    for file in (weights_file, card_file):
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is missing: a trained network is {WEIGHTS_NAME} with {CARD_NAME} beside it; copy both, or "
                f"{_trained_here()}"
            )
    try:
        card = json.loads(card_file.read_bytes())
    except ValueError as error:
        raise UserError(f"{card_file} is no JSON ({error}): copy it again, or run the train pipeline again") from error
    try:
        weights = load_file(weights_file)
    except SafetensorError as error:
        raise UserError(
            f"{weights_file} is no safetensors file ({error}): copy it again, or run the train pipeline again"
        ) from error
    return restore_backbone(card, weights), card


def _trained_here() -> str:
    """What to do about a network that is not where it was looked for."""
    found = sorted({file.parent.as_posix() for file in Path("data").glob(f"**/06_models/*/{WEIGHTS_NAME}")})
    return f"name one of those here: {', '.join(found)}" if found else "run the train pipeline"
