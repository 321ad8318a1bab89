"""An improved VGGish: batch norm, whole-clip context, and global pooling in place of the 4096-wide layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_kedro.models.backbone import Backbone, BandNorm


def block(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """3 x 3 convolutions, each with batch norm and activation, then halving of time and frequency."""
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class VGGishPlus(Backbone):
    """VGGish's ladder at half its widths, over the whole clip at once.

    The embedding joins the mean and the maximum over time of what the ladder gives, averaged over frequency
    (pooling after Kong et al., "PANNs", 2020): the mean tells lasting sounds, the maximum short ones.
    """

    embedding_size = 512

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = BandNorm()
        self.features = nn.Sequential(
            block(1, 32, convolutions=1),
            block(32, 64, convolutions=1),
            block(64, 128, convolutions=2),
            block(128, 256, convolutions=2),
        )
        self.classify = nn.Linear(self.embedding_size, classes)

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor]:
        features_BCF = self.features(self.stem(log_mel_BFM)).mean(3)
        embedding_BE = torch.cat([features_BCF.mean(2), features_BCF.amax(2)], dim=1)
        return self.classify(embedding_BE), embedding_BE
