"""A network in use by torch, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Mapping
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
        with torch.inference_mode():
            return self._arrays(*self.module(self._tensor(audio_BT)))

    def over_time(self, audio_BT: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and maximum over time of what the embedding is pooled from, and scores."""
        with torch.inference_mode():
            features_BSE = self.module.over_time(self._tensor(audio_BT))
            _, scores_BC = self.module.conclude(features_BSE)
            return self._arrays(mean_and_max(features_BSE), scores_BC)

    def _tensor(self, audio_BT: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(audio_BT).to(self._device)

    @staticmethod
    def _arrays(first: Tensor, second: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return first.cpu().numpy(), second.cpu().numpy()
