"""Sounds played faster or slower, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

_OVERSAMPLED = 4
"""Times as many samples as there are, between which values are interpolated linearly: the images of the spectrum that
this leaves are 33 dB below it at half the sample rate, and lower elsewhere."""

_AT_A_TIME = 16
"""Sounds whose spectra and places are in memory: 65 MB for sounds of 4 s."""


def change_speed(audio_BT: Tensor, speed_B1: Tensor) -> Tensor:
    """Play each sound at its speed, as a tape recorder does: pitch and tempo change together; never beyond full scale.

    A faster sound is repeated to its length, a slower one is cut off. What would come to lie over half the sample rate
    is filtered out first.

    Args:
        audio_BT: float32 [batch, samples] in [-1, 1].
        speed_B1: factors, float32 [batch, 1]; 1 changes nothing.
    """
    parts = zip(audio_BT.split(_AT_A_TIME), speed_B1.split(_AT_A_TIME), strict=True)
    return torch.cat([_change_speed(*part) for part in parts])


def _change_speed(audio_BT: Tensor, speed_B1: Tensor) -> Tensor:
    samples = audio_BT.shape[1]
    spectrum_BF = torch.fft.rfft(audio_BT)
    bins_F = torch.arange(spectrum_BF.shape[1], device=audio_BT.device)
    kept_BF = bins_F * speed_B1.clamp(min=1) <= samples / 2
    if samples % 2 == 0:
        # Among more samples this bin has a mirror image.
        kept_BF = kept_BF * torch.where(bins_F == samples // 2, 0.5, 1.0)
    fine_BT = _OVERSAMPLED * torch.fft.irfft(spectrum_BF * kept_BF, _OVERSAMPLED * samples)
    # float64, as float32 has too few digits for places between samples of long sounds
    places_BT = torch.arange(samples, device=audio_BT.device, dtype=torch.float64) * (_OVERSAMPLED * speed_B1.double())
    before_BT = places_BT.floor()
    share_BT = (places_BT - before_BT).float()
    length = fine_BT.shape[1]
    before_BT = before_BT.long() % length
    played_BT = torch.lerp(fine_BT.gather(1, before_BT), fine_BT.gather(1, (before_BT + 1) % length), share_BT)
    return played_BT / played_BT.abs().amax(1, keepdim=True).clamp(min=1)
