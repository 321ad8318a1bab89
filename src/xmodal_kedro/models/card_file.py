"""The card of a trained network (JSON): what it is, read without torch. The names of the files beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xmodal_kedro.errors import UserError

logger = logging.getLogger(__name__)

WEIGHTS_NAME = "weights.safetensors"
CARD_NAME = "card.json"
THRESHOLDS_NAME = "thresholds.json"
HEAD_NAME = "head.safetensors"
NETWORK, TEACHER, FINE_TUNED = "network", "teacher", "fine_tuned"
"""`representation` in a classifier's card: what its head is fitted on, or that the whole network was trained."""


_TYPES = {
    "F64": "torch.float64",
    "F32": "torch.float32",
    "F16": "torch.float16",
    "BF16": "torch.bfloat16",
    "I64": "torch.int64",
    "I32": "torch.int32",
    "U8": "torch.uint8",
    "BOOL": "torch.bool",
}


def stored_digest(file: Path) -> str:
    """What `models.card.digest` gives of the tensors in a safetensors file, without torch.

    Raises:
        OSError: if it cannot be read.
        ValueError, KeyError, TypeError: if it is no such file.
    """
    hashed = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        begin = 8 + int.from_bytes(content[:8], "little")
        tensors = json.loads(content[8:begin])
        for name in sorted(tensors.keys() - {"__metadata__"}):
            tensor = tensors[name]
            hashed.update(json.dumps([name, tensor["shape"], _TYPES[tensor["dtype"]]]).encode())
            first, last = tensor["data_offsets"]
            hashed.update(content[begin + first : begin + last])
    return hashed.hexdigest()


def is_classifier(card: Mapping[str, Any]) -> bool:
    """Whether a card is that of a classifier of one's own, and not that of a network that `train` made."""
    return "representation" in card


def read_card(card_file: Path) -> dict[str, Any]:
    """Read the card of a network, with its thresholds if the file of them lies beside it, or of a classifier.

    Raises:
        FileNotFoundError: if it is not there.
        UserError: if it is broken.
    """
    require(card_file)
    try:
        card: dict[str, Any] = json.loads(card_file.read_bytes())
    except ValueError as error:
        raise UserError(f"{card_file} is no JSON ({error}): copy it again, or run the train pipeline again") from error
    if not isinstance(card, dict):
        raise UserError(f"{card_file} is no JSON object: copy it again, or run the train pipeline again")
    return (
        card if is_classifier(card) else with_thresholds(card, _read_thresholds(card_file.with_name(THRESHOLDS_NAME)))
    )


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


def require(file: Path) -> None:
    """Check that one of a network's files is there.

    Raises:
        FileNotFoundError: naming it and the remedy.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is missing: a trained network is {WEIGHTS_NAME} with {CARD_NAME} beside it; copy both, or "
            f"{_trained_here()}"
        )


def _trained_here() -> str:
    """What to do about a network that is not where it was looked for."""
    found = sorted({file.parent.as_posix() for file in Path("data").glob(f"**/06_models/*/{WEIGHTS_NAME}")})
    return f"name one of those here: {', '.join(found)}" if found else "run the train pipeline"
