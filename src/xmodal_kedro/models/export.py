"""A trained network with its front end as one ONNX file, which runs without torch and without this package."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.framing import HOP_LENGTH, PATCH_FRAMES, WINDOW_LENGTH, samples_for_frames
from xmodal_kedro.features.log_mel import FFT_LENGTH, mel_weights
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.waveform_network import WaveformNetwork

OPSET = 18
TRACED_SAMPLES = samples_for_frames(3 * PATCH_FRAMES)
"""Length of the audio that the operations are traced with; the file takes audio of any length."""


class ConvolvedLogMel(nn.Module):
    """`LogMel` in operations that every ONNX runtime has: the windowed transform as a convolution.

    It stands beside `LogMel` because the exporter has no `rfft` of frames and few runtimes one of any length; it equals
    `LogMel` up to rounding, and takes more arithmetic. Constants and filters are those of `LogMel`.
    """

    def __init__(self, log_offset: float) -> None:
        super().__init__()
        self.log_offset = log_offset
        sample = np.arange(WINDOW_LENGTH)
        periodic_hann = 0.5 - 0.5 * np.cos(2 * math.pi * sample / WINDOW_LENGTH)
        angle = 2 * math.pi * np.arange(FFT_LENGTH // 2 + 1)[:, None] * sample / FFT_LENGTH
        kernels = np.concatenate([periodic_hann * np.cos(angle), periodic_hann * np.sin(angle)])
        self.register_buffer("kernels", torch.from_numpy(kernels).float().unsqueeze(1))
        self.register_buffer("weights", torch.from_numpy(mel_weights()).float())

    def forward(self, audio_BT: Tensor) -> Tensor:
        """float32 [batch, samples] to [batch, frames, 64]."""
        real_BNF, imaginary_BNF = nn.functional.conv1d(
            audio_BT.unsqueeze(1), self.get_buffer("kernels"), stride=HOP_LENGTH
        ).chunk(2, dim=1)
        magnitude_BFN = (real_BNF.square() + imaginary_BNF.square()).sqrt().transpose(1, 2)
        return torch.log(magnitude_BFN @ self.get_buffer("weights") + self.log_offset)


def export_onnx(backbone: Backbone, card: Mapping[str, Any], head: nn.Linear | None = None) -> bytes:
    """Write a network as ONNX, with the head of a classifier on it inside.

    The file takes `audio`, float32 [sounds, samples] in [-1, 1] at the rate of its metadata's `sample_rate_hz`, at
    least 0.975 s of it, and gives `embedding` [sounds, size] and `scores` [sounds, classes], probabilities of the
    classes that its metadata lists as JSON under `classes`. `inference.audio_model` runs it by onnxruntime.

    Args:
        backbone: in evaluation mode, on the CPU.
        card: of it, or of the classifier.
        head: of the classifier, on the CPU; None for the network's own classes.

    Raises:
        UserError: naming the package to install.
    """
    try:
        import onnx
    except ImportError as error:
        raise UserError("export needs the package onnx: pip install 'xmodal-kedro[onnx]'") from error
    sink: Any = io.BytesIO()
    front_end = ConvolvedLogMel(card["front_end"]["log_offset"])
    network = WaveformNetwork(backbone, front_end, card.get("exclusive", False), head, card.get("temperature", 1.0))
    with warnings.catch_warnings():
        # The newer exporter wants two more packages for the same file.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, TRACED_SAMPLES),),
            sink,
            input_names=["audio"],
            output_names=["embedding", "scores"],
            dynamic_axes={
                "audio": {0: "sounds", 1: "samples"},
                "embedding": {0: "sounds"},
                "scores": {0: "sounds"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(sink.getvalue())
    metadata = {
        "classes": json.dumps(card["classes"]),
        "sample_rate_hz": str(card["front_end"]["sample_rate_hz"]),
        "weights_digest": card["weights_digest"],
        "head_digest": card.get("head_digest") or "",
        "temperature": repr(float(card.get("temperature", 1.0))),
    }
    if "thresholds" in card:
        metadata["thresholds"] = json.dumps(card["thresholds"])
    onnx.helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())
