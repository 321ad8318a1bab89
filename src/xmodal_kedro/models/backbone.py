"""The interface of every network of the project, and the layer most of them begin with."""

from __future__ import annotations

import math

from torch import Tensor, nn

from xmodal_kedro.features.log_mel import MEL_BANDS

FIRST_PROBABILITY = 0.01
"""Of each class, before anything is learnt: a clip has a few classes of hundreds."""


class Backbone(nn.Module):
    """A network over log-mel spectrograms that gives class logits and an embedding.

    `forward(log_mel_BFM)` takes float [batch, frames >= 96, 64] and returns `(logits_BC, embedding_BE)`: scores
    before the sigmoid, and an embedding of the whole sound, `embedding_size` numbers. It is `conclude(over_time(...))`.
    """

    embedding_size: int

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor]:
        return self.conclude(self.over_time(log_mel_BFM))

    def over_time(self, log_mel_BFM: Tensor) -> Tensor:
        """The features that the embedding is pooled from: [batch, steps, features], in order of time.

        A probe that pools these itself sees a short event as well as a lasting sound, however the network pools.
        """
        raise NotImplementedError

    def conclude(self, parts_BSE: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding, from what `over_time` gives."""
        raise NotImplementedError


def expect_few(classify: nn.Linear) -> None:
    """Have a classifier begin at `FIRST_PROBABILITY`, by its bias: Lin et al., "Focal loss" (2017), section 3.3.

    From a half, the first steps do nothing but bring all classes down, and may take a network without batch norm to
    where its activations are zero for every clip.
    """
    nn.init.constant_(classify.bias, math.log(FIRST_PROBABILITY / (1 - FIRST_PROBABILITY)))


class BandNorm(nn.Module):
    """Batch norm of each mel band, then one image channel: [batch, frames, bands] to [batch, 1, frames, bands].

    It brings log-mel values, some -5 to 5 and tilted towards low bands, to what convolutions expect; after `bn0` of
    Kong et al., "PANNs" (2020), but without weights, so that no gradient need flow back through the first convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(MEL_BANDS, affine=False)

    def forward(self, log_mel_BFM: Tensor) -> Tensor:
        return self.norm(log_mel_BFM.transpose(1, 2)).transpose(1, 2).unsqueeze(1)
