"""A backbone behind its front end: what every use of a trained network computes, from waveform to scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import digest


class WaveformNetwork(nn.Module):
    """Front end, backbone and activation of the scores, all in float32.

    Args:
        backbone: in evaluation mode.
        log_mel: the front end; `LogMel`, or `ConvolvedLogMel` for ONNX.
        exclusive: whether the classes exclude each other: scores are then a softmax, else independent sigmoids.
        head: a classifier of other classes on `mean_and_max` of the features; None for the backbone's own classes.
        temperature: what logits are divided by.
    """

    def __init__(
        self,
        backbone: Backbone,
        log_mel: nn.Module,
        exclusive: bool = False,
        head: nn.Linear | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.log_mel = log_mel
        self.backbone = backbone
        self.head = head
        self.exclusive = exclusive
        self.temperature = temperature

    def forward(self, audio_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [batch, embedding size] and scores [batch, classes] in [0, 1].

        Args:
            audio_BT: float32 [batch, samples >= 15,600] in [-1, 1], at the rate of the front end.
        """
        return self.conclude(self.over_time(audio_BT))

    def over_time(self, audio_BT: Tensor) -> Tensor:
        """What the embedding is pooled from, float32 [batch, steps, features]."""
        features_BSE: Tensor = self.backbone.over_time(self.log_mel(audio_BT))
        return features_BSE

    def conclude(self, features_BSE: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and scores, from what `over_time` returns."""
        logits_BC, embedding_BE = self.backbone.conclude(features_BSE)
        if self.head is not None:
            logits_BC = self.head(mean_and_max(features_BSE))
        if self.temperature != 1.0:
            logits_BC = logits_BC / self.temperature
        return embedding_BE, logits_BC.softmax(1) if self.exclusive else logits_BC.sigmoid()

    def weights_digest(self) -> str:
        """Digest of the backbone's weights, as `models.card.digest`, and of the head's if there is one."""
        own = digest(self.backbone.state_dict())
        return own if self.head is None else f"{own} {digest(self.head.state_dict())} {self.temperature}"


def mean_and_max(features_BSE: Tensor) -> Tensor:
    """Mean and maximum over time, [batch, 2 x features]: a short event shows in it as well as a lasting sound."""
    return torch.cat([features_BSE.mean(1), features_BSE.amax(1)], dim=1)
