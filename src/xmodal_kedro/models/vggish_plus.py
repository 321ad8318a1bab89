"""VGGish with improvements, each a named option of `train.vggish_plus`; with all of them off, it is VGGish.

What each is worth, with deviations over seeds: docs/ablation.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from xmodal_kedro.audio.log_mel import MEL_BANDS, PATCH_FRAMES, frame_patches
from xmodal_kedro.models.backbone import Backbone, BandNorm
from xmodal_kedro.models.vggish import initialise
from xmodal_kedro.params import VGGishPlusParams

DEFAULTS = VGGishPlusParams()


class VGGishPlus(Backbone):
    """A ladder of convolutions, whose maps are pooled into an embedding, over the whole sound or patch by patch."""

    def __init__(self, classes: int, options: VGGishPlusParams = DEFAULTS) -> None:
        super().__init__()
        width = options.width
        self.patches = options.context == "patch"
        self.stem = BandNorm() if options.input_norm else nn.Unflatten(1, (1, -1))
        self.features = nn.Sequential(
            *block(1, width, 1, options.batch_norm),
            *block(width, 2 * width, 1, options.batch_norm),
            *block(2 * width, 4 * width, 2, options.batch_norm),
            *block(4 * width, 8 * width, 2, options.batch_norm),
        )
        self.pool = POOLINGS[options.pooling](8 * width)
        self.embedding_size = self.pool.embedding_size
        self.classify = nn.Linear(self.embedding_size, classes)
        self.apply(initialise)
        nn.init.normal_(self.classify.weight, std=0.01)

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = self._embed_patches(log_mel_BFM) if self.patches else self._embed(log_mel_BFM)
        return self.classify(self.pool.activate(embedding_BE)), embedding_BE

    def _embed(self, log_mel_BFM: Tensor) -> Tensor:
        return self.pool(self.features(self.stem(log_mel_BFM)))

    def _embed_patches(self, log_mel_BFM: Tensor) -> Tensor:
        """The mean of the embeddings of 0.96 s patches, each embedded as if it were alone."""
        patches_BPFM = frame_patches(log_mel_BFM)
        return self._embed(patches_BPFM.flatten(0, 1)).unflatten(0, patches_BPFM.shape[:2]).mean(1)


def block(inputs: int, outputs: int, convolutions: int, batch_norm: bool) -> list[nn.Module]:
    """3 x 3 convolutions, each with its activation, then halving of time and frequency by the maximum."""
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU(inplace=True))
        inputs = outputs
    return [*layers, nn.MaxPool2d(2)]


class Pooling(nn.Module):
    """From the ladder's maps [batch, channels, frames / 16, 4 bands] to embeddings [batch, embedding_size]."""

    embedding_size: int

    def activate(self, embedding_BE: Tensor) -> Tensor:
        """What the classifier sees of an embedding."""
        return embedding_BE


class Flat(Pooling):
    """VGGish's own three layers over all of a patch: 128 numbers, taken before their activation."""

    embedding_size = 128

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(channels * (PATCH_FRAMES // 16) * (MEL_BANDS // 16), 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, self.embedding_size),
        )

    def forward(self, maps_BCFM: Tensor) -> Tensor:
        return self.embed(maps_BCFM.permute(0, 2, 3, 1).flatten(1))

    def activate(self, embedding_BE: Tensor) -> Tensor:
        return embedding_BE.relu()


class Mean(Pooling):
    """The mean over time and frequency: Lin et al., "Network in network" (2014)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding_size = channels

    def forward(self, maps_BCFM: Tensor) -> Tensor:
        return maps_BCFM.mean((2, 3))


class MeanMax(Pooling):
    """The mean over frequency, then mean and maximum over time side by side: lasting sounds, and short ones.

    After Kong et al., "PANNs" (2020), who add the two.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding_size = 2 * channels

    def forward(self, maps_BCFM: Tensor) -> Tensor:
        maps_BCF = maps_BCFM.mean(3)
        return torch.cat([maps_BCF.mean(2), maps_BCF.amax(2)], dim=1)


class Attention(Pooling):
    """The mean over frequency, then a mean over time whose weights each channel learns.

    The feature-level attention of Kong et al., "Weakly labelled AudioSet tagging with attention neural networks"
    (2019). It starts out as the plain mean.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding_size = channels
        self.attend = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.attend.weight)
        self.transform = nn.Conv1d(channels, channels, 1)

    def forward(self, maps_BCFM: Tensor) -> Tensor:
        maps_BCF = maps_BCFM.mean(3)
        weights_BCF = self.attend(maps_BCF).softmax(2)
        return (weights_BCF * self.transform(maps_BCF).relu()).sum(2)


POOLINGS: dict[str, Callable[[int], Pooling]] = {
    "flat": Flat,
    "mean": Mean,
    "mean_max": MeanMax,
    "attention": Attention,
}
