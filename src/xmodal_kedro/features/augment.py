"""Changes of training audio that leave its labels true, or change them accordingly.

Random numbers are drawn on the CPU, for each stream's part of a batch by itself, from the seed and the step's number:
a step is the same whichever step the training began at and however many processes share its batch. The device applies
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.params import SpecAugmentParams


@dataclass(frozen=True)
class Draws:
    """The random draws for the clips of a batch.

    Attributes:
        share_B1: how much each clip keeps of itself when it is mixed, float32 [batch, 1].
        partner_B: position in the batch of the clip that it is mixed with, int64 [batch].
        frames_BM2, bands_BM2: first and last (exclusive) of the masked frames and mel bands, int64 [batch, masks, 2].
    """

    share_B1: Tensor
    partner_B: Tensor
    frames_BM2: Tensor
    bands_BM2: Tensor

    def between(self, first: int, last: int) -> Draws:
        """Those of clips `first` to `last` (exclusive)."""
        return Draws(*(value[first:last] for value in vars(self).values()))


def draw(
    parts: Sequence[tuple[int, int]],
    frames: int,
    bands: int,
    mixup_alpha: float,
    masks: SpecAugmentParams,
    place: Sequence[int],
) -> Draws:
    """Draw for one batch.

    Args:
        parts: stream and number of clips of each stretch of the batch; clips are mixed within their stretch.
        frames, bands: of the spectrograms.
        mixup_alpha: parameter of the Beta(alpha, alpha) distribution of the shares; with 0, each clip keeps all.
        masks: how many masks, and how wide at most.
        place: seed and number of the step.
    """
    shares, partners, masked_frames, masked_bands = [], [], [], []
    first = 0
    for stream, clips in parts:
        rng = np.random.default_rng([*place, stream])
        shares.append(rng.beta(mixup_alpha, mixup_alpha, clips) if mixup_alpha > 0 else np.ones(clips))
        partners.append(first + rng.permutation(clips))
        masked_frames.append(_spans(rng, (clips, masks.time_masks), frames, masks.time_frames))
        masked_bands.append(_spans(rng, (clips, masks.band_masks), bands, masks.bands))
        first += clips
    return Draws(
        torch.from_numpy(np.concatenate(shares)[:, None].astype(np.float32)),
        torch.from_numpy(np.concatenate(partners)),
        torch.from_numpy(np.concatenate(masked_frames)),
        torch.from_numpy(np.concatenate(masked_bands)),
    )


def mixup(values_BX: Tensor, draws: Draws) -> Tensor:
    """Mix each clip with another of the batch: Zhang et al., "mixup" (2018), on waveforms, targets and embeddings.

    Args:
        values_BX: float [batch, numbers of a clip].
        draws: shares and partners.
    """
    return torch.lerp(values_BX[draws.partner_B], values_BX, draws.share_B1)


def mask(log_mel_BFM: Tensor, draws: Draws) -> Tensor:
    """Put each spectrogram's mean in place of its masked frames and bands.

    Park et al., "SpecAugment" (2019), section 2, without warping of time.

    Args:
        log_mel_BFM: [batch, frames, mel bands].
        draws: the masks.
    """
    _, frames, bands = log_mel_BFM.shape
    masked_BF1 = _within(draws.frames_BM2, frames).unsqueeze(2)
    masked_B1M = _within(draws.bands_BM2, bands).unsqueeze(1)
    return torch.where(masked_BF1 | masked_B1M, log_mel_BFM.mean((1, 2), keepdim=True), log_mel_BFM)


def fit_length(audio_T: NDArray[np.int16], samples: int, start: int) -> NDArray[np.int16]:
    """Exactly `samples` of a sound: from `start` on if it is longer, else repeated.

    Args:
        audio_T: [samples of the clip], not empty.
        samples: length wanted.
        start: at most what the sound has over that.
    """
    if len(audio_T) < samples:
        return np.resize(audio_T, samples)
    return audio_T[start : start + samples]


def _spans(rng: np.random.Generator, shape: tuple[int, int], length: int, widest: int) -> NDArray[np.int64]:
    widths = rng.integers(min(widest, length), size=shape, endpoint=True)
    firsts = rng.integers(length - widths, endpoint=True)
    return np.stack([firsts, firsts + widths], axis=-1)


def _within(spans_BM2: Tensor, length: int) -> Tensor:
    """Whether each place is in one of the spans, bool [batch, length]."""
    places_L = torch.arange(length, device=spans_BM2.device)
    inside_BML = (places_L >= spans_BM2[..., :1]) & (places_L < spans_BM2[..., 1:])
    return inside_BML.any(1)
