"""Teachers that are torchvision networks with weights from a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors
from torch import nn
from torchvision import models

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ImageInput, TeacherCard
from xmodal_kedro.teachers.preprocess import Clip, clip_rows, input_of
from xmodal_kedro.teachers.protocol import Device
from xmodal_kedro.teachers.torch_inference import activate, device_of, inference


class TorchvisionTeacher:
    """A torchvision network; see `OnnxTeacher` for the arguments."""

    def __init__(
        self, card: TeacherCard, weights: bytes, labels: tuple[str, ...], device: Device, inference_threads: int
    ) -> None:
        self.labels = labels
        self._card, self._threads = card, inference_threads
        self._input = input_of(card)
        if not (isinstance(self._input, ImageInput) and (self._input.layout, self._input.dtype) == ("NCHW", "float32")):
            raise UserError("torchvision's networks take images: set input.layout to NCHW and input.dtype to float32")
        self._device = device_of(card, device)
        self.on_cuda = self._device.type == "cuda"
        self._network = _load_network(card, weights, len(labels)).eval().to(self._device)

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """Frames, as described by the card's input."""
        return clip_rows(clip, self._input)

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """float32 [len(rows), classes]."""
        with inference(self._device, self._threads):
            return activate(self._network(torch.from_numpy(np.stack(rows)).to(self._device)), self._card.output)


def _load_network(card: TeacherCard, weights: bytes, classes: int) -> nn.Module:
    if card.network not in (known := models.list_models(module=models)):
        raise UserError(f"torchvision has no classifier {card.network!r}: set the card's network to one of {known}")
    network: nn.Module = models.get_model(card.network, weights=None, num_classes=classes)
    in_pickle = not card.weights.endswith(".safetensors")
    try:
        tensors = torch.load(io.BytesIO(weights), "cpu", weights_only=True) if in_pickle else load_safetensors(weights)
        network.load_state_dict(tensors)
    except Exception as error:  # each format has errors of its own
        raise UserError(
            f"{card.weights!r} does not hold a {card.network} with the {classes} classes of {card.labels!r} "
            f"({' '.join(str(error).split())[:200]}): correct network or labels in the card, or save its state_dict()"
        ) from error
    return network
