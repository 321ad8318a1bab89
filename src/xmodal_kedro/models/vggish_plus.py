"""VGGish with improvements, each a named option of `train.vggish_plus`; with all of them off, it is VGGish.

What each is worth, with the standard deviation over seeds: docs/ablation.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_kedro.features.framing import PATCH_FRAMES
from xmodal_kedro.features.log_mel import MEL_BANDS, frame_patches
from xmodal_kedro.models.backbone import Backbone, expect_few
from xmodal_kedro.models.vggish import initialise
from xmodal_kedro.params import VGGishPlusParams

DEFAULTS = VGGishPlusParams()


class VGGishPlus(Backbone):
    """A ladder of convolutions, whose maps are pooled into an embedding, over the whole sound or patch by patch."""

    def __init__(self, classes: int, options: VGGishPlusParams = DEFAULTS) -> None:
        super().__init__()
        width = options.width
        self.patches = options.context == "patch"
        self.features = nn.Sequential(
            *block(1, width, 1, options.batch_norm),
            *block(width, 2 * width, 1, options.batch_norm),
            *block(2 * width, 4 * width, 2, options.batch_norm),
            *block(4 * width, 8 * width, 2, options.batch_norm),
        )
        self.pool = (
            Flat(8 * width) if options.pooling == "flat" else OVER_TIME[options.pooling](8 * width, options.keep_bands)
        )
        self.embedding_size = self.pool.embedding_size
        self.classify = nn.Linear(self.embedding_size, classes)
        self.apply(initialise)
        nn.init.normal_(self.classify.weight, std=0.01)
        expect_few(self.classify)

    def over_time(self, log_mel_BFM: Tensor) -> Tensor:
        if not self.patches:
            return self.pool.rows(self.features(log_mel_BFM.unsqueeze(1))).transpose(1, 2)
        # Patches of 0.96 s, each embedded as if it were alone.
        patches_BPFM = frame_patches(log_mel_BFM)
        maps_NCFM = self.features(patches_BPFM.flatten(0, 1).unsqueeze(1))
        return self.pool(maps_NCFM).reshape(log_mel_BFM.shape[0], -1, self.embedding_size)

    def conclude(self, parts_BSE: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = parts_BSE.mean(1) if self.patches else self.pool.pool(parts_BSE.transpose(1, 2))
        return self.classify(self.pool.activate(embedding_BE)), embedding_BE


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

    def rows(self, maps_BCFM: Tensor) -> Tensor:
        """What is pooled over time: [batch, rows, frames / 16]."""
        raise NotImplementedError

    def pool(self, rows_BRF: Tensor) -> Tensor:
        """The embedding, from these rows."""
        raise NotImplementedError


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


class OverTime(Pooling):
    """Poolings over time, for sounds of any length: of the mean of all bands, or of each band by itself.

    A convolution is almost independent of pitch; bands side by side in the embedding keep it.
    """

    def __init__(self, channels: int, keep_bands: bool) -> None:
        super().__init__()
        self.keep_bands = keep_bands
        self.row_count = channels * (MEL_BANDS // 16) if keep_bands else channels
        self.embedding_size = self.row_count

    def forward(self, maps_BCFM: Tensor) -> Tensor:
        return self.pool(self.rows(maps_BCFM))

    def rows(self, maps_BCFM: Tensor) -> Tensor:
        return maps_BCFM.transpose(2, 3).flatten(1, 2) if self.keep_bands else maps_BCFM.mean(3)


class Mean(OverTime):
    """The mean: Lin et al., "Network in network" (2014)."""

    def pool(self, rows_BRF: Tensor) -> Tensor:
        return rows_BRF.mean(2)


class MeanMax(OverTime):
    """Mean and maximum side by side, for lasting sounds and short ones; Kong et al., "PANNs" (2020), add the two."""

    def __init__(self, channels: int, keep_bands: bool) -> None:
        super().__init__(channels, keep_bands)
        self.embedding_size = 2 * self.row_count

    def pool(self, rows_BRF: Tensor) -> Tensor:
        return torch.cat([rows_BRF.mean(2), rows_BRF.amax(2)], dim=1)


OVER_TIME: dict[str, type[OverTime]] = {"mean": Mean, "mean_max": MeanMax}
