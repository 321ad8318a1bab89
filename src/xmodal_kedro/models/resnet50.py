"""ResNet-50 on log-mel: torchvision's network, its stem taking one channel of 64 normalised mel bands."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from xmodal_kedro.models.backbone import Backbone, BandNorm, expect_few


class ResNet50(Backbone):
    """He et al., "Deep residual learning for image recognition" (2016); the embedding is the mean over its last map.

    Strides are torchvision's, so 64 bands end as 2, and 4 s of sound in a map of 13 x 2, as in the residual networks of
    Kong et al., "PANNs" (2020). One stride less in the stem would make every later layer four times as dear.
    """

    embedding_size = 2048

    def __init__(self, classes: int) -> None:
        from torchvision.models import resnet50  # takes seconds, which other networks need not

        super().__init__()
        self.stem = BandNorm()
        network = resnet50(weights=None)
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        layers = {name: layer for name, layer in network.named_children() if name not in ("avgpool", "fc")}
        self.network = nn.Sequential(OrderedDict(layers))
        self.classify = nn.Linear(self.embedding_size, classes)
        expect_few(self.classify)

    def over_time(self, log_mel_BFM: Tensor) -> Tensor:
        return self.network(self.stem(log_mel_BFM)).mean(3).transpose(1, 2)

    def conclude(self, parts_BSE: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = parts_BSE.mean(1)
        return self.classify(embedding_BE), embedding_BE
