"""The card of a trained network: a JSON-able description that its weights can be used from, without any other file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xmodal_kedro.errors import UserError
from xmodal_kedro.features import framing, log_mel
from xmodal_kedro.models import build
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.params import TrainParams, VGGishPlusParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ


def make_card(
    model: Backbone,
    classes: Sequence[str],
    params: TrainParams,
    data_fingerprint: str,
    best: Mapping[str, Any],
    recipe: str = "",
) -> dict[str, Any]:
    """The card of a trained network. It names no time or place, so that equal training gives equal bytes.

    Args:
        model: the trained network.
        classes: names of its logits, in order.
        params: what it was trained with.
        data_fingerprint: of the clips and labels it was trained on.
        best: row of the training history at which its weights were taken.
        recipe: name and version of the recipe of training. This project's own version is left out: a network that
            is kept through an upgrade was not trained by the new one.
    """
    return {
        "model": params.model,
        "classes": list(classes),
        "embedding_size": model.embedding_size,
        "weights_digest": digest(model.state_dict()),
        "parameter_count": sum(weight.numel() for weight in model.parameters()),
        "front_end": {
            "sample_rate_hz": CLIP_SAMPLE_RATE_HZ,
            "window_length": framing.WINDOW_LENGTH,
            "hop_length": framing.HOP_LENGTH,
            "fft_length": log_mel.FFT_LENGTH,
            "mel_bands": log_mel.MEL_BANDS,
            "mel_low_hz": log_mel.MEL_LOW_HZ,
            "mel_high_hz": log_mel.MEL_HIGH_HZ,
            "log_offset": params.log_offset,
        },
        "clip_s": params.clip_s,
        "best": dict(best),
        "training": params.described(),
        "data_fingerprint": data_fingerprint,
        "versions": {
            "recipe": recipe,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "torchvision": version("torchvision"),
        },
    }


def digest(weights: Mapping[str, Tensor]) -> str:
    """32 hex digits: equal ones mean the same names, shapes, types and values, in whatever order and on any device."""
    hashed = hashlib.blake2b(digest_size=16)
    for name, weight in sorted(weights.items()):
        hashed.update(json.dumps([name, list(weight.shape), str(weight.dtype)]).encode())
        hashed.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def build_network(card: Mapping[str, Any]) -> Backbone:
    """The network that a card describes, with random weights.

    A card from before `vggish_plus` had options gets today's defaults.

    Raises:
        UserError: if this version knows no such network, or no such option of it.
    """
    stated = card.get("training", {}).get("vggish_plus", {})
    try:
        options = VGGishPlusParams.model_validate(stated)
    except ValueError as error:
        raise UserError(
            f"model card was made by another version, training.vggish_plus: {error}: run the train pipeline again"
        ) from error
    return build(card["model"], len(card["classes"]), options)


def restore_backbone(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Backbone:
    """Build the network of a card and give it its weights, in evaluation mode.

    Raises:
        UserError: if the card is incomplete, the weights are not those it was made for, or the code of the network
            has changed since.
    """
    missing = [field for field in ("model", "classes", "front_end", "weights_digest") if field not in card]
    if missing:
        raise UserError(f"model card lacks {', '.join(missing)}: run the train pipeline again")
    if digest(weights) != card["weights_digest"]:
        raise UserError(
            f"model weights and model card are of different runs (weights {digest(weights)}, card "
            f"{card['weights_digest']}): run the train pipeline again"
        )
    model = build_network(card)
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise UserError(
            f"model weights do not fit the network of their card ({card['model']}, {len(card['classes'])} classes): "
            "run the train pipeline again"
        ) from error
    return model.eval()
