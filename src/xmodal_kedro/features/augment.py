"""Changes of training audio that leave its labels true, or change them accordingly.

Random numbers are drawn on the CPU, for each stream's part of a batch by itself, from the seed and the step's number:
a step is the same whichever step the training began at and however many processes share its batch. The device applies
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.params import SpecAugmentParams, TrainParams

NO_MASKS = SpecAugmentParams()
NOISE_RANGE_DB = 30.0
"""Noise has a level of up to so much below the highest one."""
NOISE_SAMPLES = 1 << 20
"""Of the white noise that clips get parts of, a minute."""


@dataclass(frozen=True)
class Augmentation:
    """What is changed at random; the fields are those of `TrainParams`."""

    mixup_alpha: float = 0.0
    masks: SpecAugmentParams = NO_MASKS
    gain_db: float = 0.0
    noise_db: float | None = None
    speed_octaves: float = 0.0

    @classmethod
    def of(cls, params: TrainParams) -> Augmentation:
        """That of a training."""
        return cls(params.mixup_alpha, params.spec_augment, params.gain_db, params.noise_db, params.speed_octaves)

    @property
    def of_spectrograms(self) -> bool:
        """Whether spectrograms are masked."""
        return self.masks.time_masks > 0 or self.masks.band_masks > 0

    @property
    def of_levels(self) -> bool:
        """Whether levels change, or noise is added."""
        return self.gain_db > 0 or self.noise_db is not None

    @property
    def is_random(self) -> bool:
        """Whether anything is changed."""
        return self.mixup_alpha > 0 or self.of_levels or self.of_spectrograms or self.speed_octaves > 0


@dataclass(frozen=True)
class Draws:
    """The random draws for the clips of a batch.

    Attributes:
        share_B1: how much each clip keeps of itself when it is mixed, float32 [batch, 1].
        partner_B: position in the batch of the clip that it is mixed with, int64 [batch].
        frames_BM2, bands_BM2: first and last (exclusive) of the masked frames and mel bands, int64 [batch, masks, 2].
        gain_B1: factor of each clip's level, float32 [batch, 1].
        noise_B1: level of its noise relative to its own, as a factor, float32 [batch, 1].
        noise_from_B1: first sample of its part of the noise, int64 [batch, 1].
        speed_B1: how many times faster each clip is played, float32 [batch, 1].
    """

    share_B1: Tensor
    partner_B: Tensor
    frames_BM2: Tensor
    bands_BM2: Tensor
    gain_B1: Tensor
    noise_B1: Tensor
    noise_from_B1: Tensor
    speed_B1: Tensor

    def between(self, first: int, last: int) -> Draws:
        """Those of clips `first` to `last` (exclusive)."""
        return Draws(*(value[first:last] for value in vars(self).values()))


def draw(
    parts: Sequence[tuple[int, int]],
    frames: int,
    bands: int,
    augmentation: Augmentation,
    place: Sequence[int],
) -> Draws:
    """Draw for one batch.

    Args:
        parts: stream and number of clips of each stretch of the batch; clips are mixed within their stretch.
        frames, bands: of the spectrograms.
        augmentation: what is drawn. Shares are of a Beta(alpha, alpha) distribution; with 0, each clip keeps all.
        place: seed and number of the step.
    """
    alpha, masks = augmentation.mixup_alpha, augmentation.masks
    shares, partners, masked_frames, masked_bands = [], [], [], []
    levels: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]] = []
    speeds = []
    first = 0
    for stream, clips in parts:
        rng = np.random.default_rng([*place, stream])
        shares.append(rng.beta(alpha, alpha, clips) if alpha > 0 else np.ones(clips))
        partners.append(first + rng.permutation(clips))
        masked_frames.append(_spans(rng, (clips, masks.time_masks), frames, masks.time_frames))
        masked_bands.append(_spans(rng, (clips, masks.band_masks), bands, masks.bands))
        levels.append(_levels(rng, clips, augmentation))
        speeds.append(_speeds(rng, clips, augmentation.speed_octaves))
        first += clips
    gains, noises, noises_from = map(np.concatenate, zip(*levels, strict=True))
    return Draws(
        torch.from_numpy(np.concatenate(shares)[:, None].astype(np.float32)),
        torch.from_numpy(np.concatenate(partners)),
        torch.from_numpy(np.concatenate(masked_frames)),
        torch.from_numpy(np.concatenate(masked_bands)),
        torch.from_numpy(gains[:, None].astype(np.float32)),
        torch.from_numpy(noises[:, None].astype(np.float32)),
        torch.from_numpy(noises_from[:, None]),
        torch.from_numpy(np.concatenate(speeds)[:, None].astype(np.float32)),
    )


def mixup(values_BX: Tensor, draws: Draws) -> Tensor:
    """Mix each clip with another of the batch: Zhang et al., "mixup" (2018), on waveforms, targets and embeddings.

    Args:
        values_BX: float [batch, numbers of a clip].
        draws: shares and partners.
    """
    return torch.lerp(values_BX[draws.partner_B], values_BX, draws.share_B1)


def change_levels(audio_BT: Tensor, draws: Draws) -> Tensor:
    """Change each clip's level and add white noise, never beyond full scale.

    Args:
        audio_BT: float [batch, samples] in [-1, 1].
        draws: gains, and levels and parts of the noise.
    """
    rms_B1 = audio_BT.square().mean(1, keepdim=True).sqrt()
    places_BT = (draws.noise_from_B1 + torch.arange(audio_BT.shape[1], device=audio_BT.device)) % NOISE_SAMPLES
    noisy_BT = draws.gain_B1 * (audio_BT + rms_B1 * draws.noise_B1 * _white_noise(audio_BT.device)[places_BT])
    return noisy_BT / noisy_BT.abs().amax(1, keepdim=True).clamp(min=1)


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


def _levels(
    rng: np.random.Generator, clips: int, augmentation: Augmentation
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Gains, levels of the noise as factors, and where each clip's noise begins."""
    gains, noises, begins = np.ones(clips), np.zeros(clips), np.zeros(clips, np.int64)
    if augmentation.gain_db > 0:
        gains = 10 ** (rng.uniform(-augmentation.gain_db, augmentation.gain_db, clips) / 20)
    if augmentation.noise_db is not None:
        noises = 10 ** (rng.uniform(augmentation.noise_db - NOISE_RANGE_DB, augmentation.noise_db, clips) / 20)
        begins = rng.integers(NOISE_SAMPLES, size=clips)
    return gains, noises, begins


def _speeds(rng: np.random.Generator, clips: int, octaves: float) -> NDArray[np.float64]:
    """Factors; nothing is drawn where speed does not change, so that other draws are those of before it could."""
    return 2 ** rng.uniform(-octaves, octaves, clips) if octaves > 0 else np.ones(clips)


@lru_cache(maxsize=2)
def _white_noise(device: torch.device) -> Tensor:
    """float32 of variance 1, the same on every device."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(NOISE_SAMPLES, np.float32)).to(device)


def _within(spans_BM2: Tensor, length: int) -> Tensor:
    """Whether each place is in one of the spans, bool [batch, length]."""
    places_L = torch.arange(length, device=spans_BM2.device)
    inside_BML = (places_L >= spans_BM2[..., :1]) & (places_L < spans_BM2[..., 1:])
    return inside_BML.any(1)
