"""The card of a trained network: a JSON-able description that its weights can be used from, without any other file."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor

import xmodal_kedro
from xmodal_kedro.audio import log_mel
from xmodal_kedro.models import Backbone, build
from xmodal_kedro.params import TrainParams


def describe(
    model: Backbone, classes: Sequence[str], params: TrainParams, data_fingerprint: str, best: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the card. It names no time or place, so that equal training gives equal bytes.

    Args:
        model: the trained network.
        classes: names of its logits, in order.
        params: what it was trained with.
        data_fingerprint: stands for the clips and labels it was trained on.
        best: row of the training history at which its weights were taken.
    """
    return {
        "model": params.model,
        "classes": list(classes),
        "embedding_size": model.embedding_size,
        "parameter_count": sum(weight.numel() for weight in model.parameters()),
        "front_end": {
            "sample_rate_hz": log_mel.SAMPLE_RATE_HZ,
            "window_length": log_mel.WINDOW_LENGTH,
            "hop_length": log_mel.HOP_LENGTH,
            "fft_length": log_mel.FFT_LENGTH,
            "mel_bands": log_mel.MEL_BANDS,
            "mel_low_hz": log_mel.MEL_LOW_HZ,
            "mel_high_hz": log_mel.MEL_HIGH_HZ,
            "log_offset": params.log_offset,
        },
        "clip_s": params.clip_s,
        "best": dict(best),
        "training": params.model_dump(mode="json"),
        "data_fingerprint": data_fingerprint,
        "versions": {
            "xmodal_kedro": xmodal_kedro.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }


def load_model(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Backbone:
    """Build the network of a card and give it its weights, in evaluation mode.

    Raises:
        ValueError: if the card is incomplete, or the weights are another network's.
    """
    missing = [field for field in ("model", "classes", "front_end") if field not in card]
    if missing:
        raise ValueError(f"model card lacks {', '.join(missing)}: run the train pipeline again")
    model = build(card["model"], len(card["classes"]))
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ValueError(
            f"model weights do not fit their card ({card['model']}, {len(card['classes'])} classes): "
            "use the weights and the card of one run, or run the train pipeline again"
        ) from error
    return model.eval()
