"""Changes of training sound that leave its labels true, or change them in step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def mixup(audio_BT: Tensor, targets_BC: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mix each sound, and its targets, with another of the batch: Zhang et al., "mixup" (2018), on waveforms.

    Args:
        audio_BT: float [batch, samples].
        targets_BC: float [batch, classes].
        alpha: parameter of the Beta(alpha, alpha) distribution that each sound's share is drawn from.
        rng: source of the shares and the partners.
    """
    batch = len(audio_BT)
    share_B1 = torch.from_numpy(rng.beta(alpha, alpha, size=(batch, 1)).astype(np.float32)).to(audio_BT.device)
    partner_B = torch.from_numpy(rng.permutation(batch)).to(audio_BT.device)
    return (
        share_B1 * audio_BT + (1 - share_B1) * audio_BT[partner_B],
        share_B1 * targets_BC + (1 - share_B1) * targets_BC[partner_B],
    )


def fit_length(audio_T: np.ndarray, samples: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Cut or repeat a sound to exactly `samples`.

    Args:
        audio_T: [samples of the clip], not empty.
        samples: length wanted.
        rng: source of where to cut a longer sound; without it, its middle is taken.
    """
    surplus = len(audio_T) - samples
    if surplus < 0:
        return np.resize(audio_T, samples)
    start = surplus // 2 if rng is None else int(rng.integers(surplus + 1))
    return audio_T[start : start + samples]
