"""The sample world's own teachers: one small network for images and for log-mel patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard
from xmodal_kedro.teachers.preprocess import Clip, clip_rows, input_of
from xmodal_kedro.teachers.protocol import Device
from xmodal_kedro.teachers.torch_inference import activate, inference


class SampleTeacher:
    """A trained `SampleNetwork` that has been checked against its class list. It runs on the CPU.

    Args:
        card: says which activation turns logits into scores.
        weights: safetensors of `SampleNetwork`.
        labels: class names in the order of the output.
        device, inference_threads: not used, as it runs on one CPU thread.

    Raises:
        UserError: the weights are not those of a `SampleNetwork`, or have another number of classes.
    """

    def __init__(
        self,
        card: TeacherCard,
        weights: bytes,
        labels: tuple[str, ...],
        device: Device = "cpu",
        inference_threads: int = 1,
    ) -> None:
        self.labels, self.on_cuda = labels, False
        self._card = card
        self._network = _load_network(card, weights, len(labels))

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """Frames or patches, [channels, height, width] each."""
        return clip_rows(clip, input_of(self._card))

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """float32 [len(rows), classes]."""
        with inference(torch.device("cpu"), threads=1):
            return activate(self._network(torch.from_numpy(np.stack(rows))), self._card.output)


class SampleNetwork(nn.Module):
    """Four convolutions, pooled to a coarse 4 x 4 grid, so the position in the image or in the spectrum matters.

    Args:
        channels: channels of the input.
        classes: size of the output.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(_block(channels, 16), _block(16, 32), _block(32, 64), _block(64, 96, stride=1))
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(96 * 16, classes))

    def forward(self, batch_BCHW: Tensor) -> Tensor:
        """float32 [batch, channels, height, width], sides of 32 at least -> logits [batch, classes]."""
        logits: Tensor = self.classifier(self.pool(self.blocks(self.normalise(batch_BCHW))))
        return logits


def _block(inputs: int, outputs: int, stride: int = 2) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _load_network(card: TeacherCard, weights: bytes, classes: int) -> SampleNetwork:
    try:
        tensors = load(weights)
        channels, outputs = len(tensors["normalise.weight"]), len(tensors["classifier.2.bias"])
    except Exception as error:  # safetensors raises its own errors for broken files
        raise UserError(f"{card.weights!r} is not a sample teacher: run the pipeline `sample` again") from error
    if outputs != classes:
        raise UserError(
            f"{card.weights!r} scores {outputs} classes, but {card.labels!r} lists {classes}: name the class list that "
            "belongs to the weights"
        )
    network = SampleNetwork(channels, outputs).eval()
    network.load_state_dict(tensors)
    return network
