"""A network in use by torch, from arrays to arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.models.files import read_model
from xmodal_kedro.models.waveform_network import WaveformNetwork, mean_and_max
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

MAX_SAMPLES_ON_CPU = 20 * CLIP_SAMPLE_RATE_HZ
"""Of one pass on a CPU: the feature maps of more sound do not fit the cache, and networks take up to twice as long."""

_ONE_AT_A_TIME = threading.Lock()
"""A GPU gains nothing from the passes of two threads, and its memory may hold one."""


class TorchNetwork:
    """A `WaveformNetwork` on a device.

    Args:
        backbone: in evaluation mode; it is moved to the device.
        card: as `models.card.make_card` makes it, or of a classifier.
        device: where it runs.
        head: of a classifier on it.

    Attributes:
        card: as it was given.
        module: what computes.
        device_type: where, `cpu` or `cuda`.
        source: what it is, for messages.
    """

    source = "a network of torch"

    def __init__(
        self, backbone: Backbone, card: Mapping[str, Any], device: torch.device, head: nn.Linear | None = None
    ) -> None:
        self.card = card
        self._log_offset = card["front_end"]["log_offset"]
        exclusive, temperature = card.get("exclusive", False), card.get("temperature", 1.0)
        module = WaveformNetwork(backbone, LogMel(self._log_offset), exclusive, head, temperature)
        self.module, self.device_type = module.to(device), device.type
        if device.type == "cpu":
            self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device

    @classmethod
    def read(cls, path: Path, device: torch.device) -> TorchNetwork:
        """From a folder with weights and card, or from the weights beside which the card lies.

        Raises:
            FileNotFoundError: naming the file that is not there.
            UserError: for files that are broken or do not belong together.
        """
        weights_file = path / WEIGHTS_NAME if path.is_dir() else path
        stored = read_model(weights_file, weights_file.with_name(CARD_NAME))
        return cls(stored.backbone, stored.card, device, stored.head)

    @property
    def fingerprint(self) -> str:
        """Of the weights and the front end."""
        return f"{self.module.weights_digest()} {self._log_offset}"

    def __call__(self, audio_BT: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings [batch, embedding size] and scores [batch, classes], as `WaveformNetwork`."""
        return self._in_passes(self.module, audio_BT)

    def over_time(self, audio_BT: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and maximum over time of what the embedding is pooled from, and scores."""
        return self._in_passes(self._over_time, audio_BT)

    def _over_time(self, audio_BT: Tensor) -> tuple[Tensor, Tensor]:
        features_BSE = self.module.over_time(audio_BT)
        _, scores_BC = self.module.conclude(features_BSE)
        return mean_and_max(features_BSE), scores_BC

    def _in_passes(
        self, forward: Callable[[Tensor], tuple[Tensor, Tensor]], audio_BT: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sounds, samples = audio_BT.shape
        is_on_cpu = self.device_type == "cpu"
        at_a_time = max(1, MAX_SAMPLES_ON_CPU // max(1, samples)) if is_on_cpu else sounds
        with torch.inference_mode(), nullcontext() if is_on_cpu else _ONE_AT_A_TIME:
            passes = [
                forward(torch.from_numpy(audio_BT[first : first + at_a_time]).to(self._device))
                for first in range(0, sounds, at_a_time)
            ]
            first_BE, second_BC = (torch.cat(parts) for parts in zip(*passes, strict=True))
            return first_BE.cpu().numpy(), second_BC.cpu().numpy()
