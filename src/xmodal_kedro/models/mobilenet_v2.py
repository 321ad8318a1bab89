"""MobileNetV2 on log-mel: torchvision's network, its stem taking one channel of 64 normalised mel bands."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_kedro.models.backbone import Backbone, BandNorm, expect_few


class StridedDepthwise(nn.Conv2d):
    """A depthwise convolution of stride 2, on a CPU in float32: its bfloat16 gradient is six times slower there."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out")

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class MobileNetV2(Backbone):
    """Sandler et al., "MobileNetV2" (2018); the embedding is the mean over its last map.

    Strides are torchvision's, so 64 bands end as 2, and 4 s of sound in a map of 13 x 2. The code of Kong et al.,
    "PANNs" (2020), takes the last of them a stage earlier, before 96 channels, and ends at much the same map.
    """

    embedding_size = 1280

    def __init__(self, classes: int) -> None:
        from torchvision.models import mobilenet_v2  # takes seconds, which other networks need not

        super().__init__()
        self.stem = BandNorm()
        self.features = mobilenet_v2(weights=None).features
        self.features[0][0] = nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(self.features[0][0].weight, mode="fan_out")
        for block in self.features[1:-1]:
            if block.stride == 2:
                block.conv[1][0] = StridedDepthwise(block.conv[1][0].in_channels)
        logits = nn.Linear(self.embedding_size, classes)
        expect_few(logits)
        self.classify = nn.Sequential(nn.Dropout(0.2), logits)

    def over_time(self, log_mel_BFM: Tensor) -> Tensor:
        return self.features(self.stem(log_mel_BFM)).mean(3).transpose(1, 2)

    def conclude(self, parts_BSE: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = parts_BSE.mean(1)
        return self.classify(embedding_BE), embedding_BE
