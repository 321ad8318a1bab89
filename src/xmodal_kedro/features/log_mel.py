"""The AudioSet reference front end: log-mel spectrograms of 16 kHz sound.

Constants and formulas follow the VGGish feature recipe of Hershey et al., "CNN architectures for large-scale audio
classification" (ICASSP 2017), as released with AudioSet (`mel_features.py`, `vggish_params.py`).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xmodal_kedro.features.framing import HOP_LENGTH, PATCH_FRAMES, WINDOW_LENGTH, samples_for_frames
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

FFT_LENGTH = 512
MEL_BANDS = 64
MEL_LOW_HZ = 125.0
MEL_HIGH_HZ = 7_500.0
CACHED_FRAMES = 256
"""Frames that a CPU transforms at a time, over the batch: few enough for their spectra to stay in its cache."""
BAND_GROUPS = 4
"""Groups of neighbouring mel bands, each computed from the bins that it covers: the other weights are zeros."""


def mel_weights() -> NDArray[np.float64]:
    """Triangular filters, equally spaced in HTK mel, as a matrix [FFT bins = 257, mel bands = 64].

    The triangles are linear in mel, not in hertz, peak at 1, and the bin at 0 Hz belongs to none.
    """

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127.0 * np.log1p(hz / 700.0)

    bins_mel = mel(np.linspace(0.0, CLIP_SAMPLE_RATE_HZ / 2, FFT_LENGTH // 2 + 1))[:, None]
    low, high = mel(np.array([MEL_LOW_HZ, MEL_HIGH_HZ]))
    edges = np.linspace(low, high, MEL_BANDS + 2)
    rising = (bins_mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins_mel) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights


def _covered_bins(bands: NDArray[np.int64]) -> tuple[slice, slice]:
    """The FFT bins that have weight in neighbouring mel bands, and those bands."""
    first, *_, last = np.flatnonzero(mel_weights()[:, bands].any(axis=1)).tolist()
    return slice(first, last + 1), slice(int(bands[0]), int(bands[-1]) + 1)


class LogMel(nn.Module):
    """Log-mel spectrogram: ln(mel-weighted magnitude + `log_offset`) of 25 ms frames every 10 ms.

    Always computed in float32, also inside autocast: lower precision distorts quiet bands.

    Args:
        log_offset: added to mel magnitudes before the logarithm: 0.01 for VGGish, 0.001 for YAMNet.
    """

    window: Tensor
    weights: Tensor

    def __init__(self, log_offset: float = 0.01) -> None:
        super().__init__()
        self.log_offset = log_offset
        periodic_hann = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)
        self.register_buffer("window", torch.from_numpy(periodic_hann).float(), persistent=False)
        self.register_buffer("weights", torch.from_numpy(mel_weights()).float(), persistent=False)
        self._groups = tuple(_covered_bins(bands) for bands in np.split(np.arange(MEL_BANDS), BAND_GROUPS))

    def forward(self, audio_BT: Tensor) -> Tensor:
        """Compute log-mel frames; samples after the last whole frame are not used.

        Args:
            audio_BT: float32 [batch, samples] in [-1, 1] at 16 kHz.

        Returns:
            float32 [batch, frames, 64], frames = 1 + (samples - 400) // 160.

        Raises:
            ValueError: if the sound is shorter than one frame.
        """
        if audio_BT.shape[-1] < WINDOW_LENGTH:
            raise ValueError(
                f"audio of {audio_BT.shape[-1]} samples is shorter than one frame of {WINDOW_LENGTH}: "
                "pad the waveform with zeros"
            )
        with torch.autocast(audio_BT.device.type, enabled=False):
            frames_BFW = audio_BT.float().unfold(-1, WINDOW_LENGTH, HOP_LENGTH)
            at_a_time = max(1, CACHED_FRAMES // len(audio_BT)) if audio_BT.is_cpu else frames_BFW.shape[1]
            mel_BFM = torch.cat([self._mel(part_BFW) for part_BFW in frames_BFW.split(at_a_time, dim=1)], dim=1)
            return torch.log(mel_BFM + self.log_offset)

    def _mel(self, frames_BFW: Tensor) -> Tensor:
        parts_BFN2 = torch.view_as_real(torch.fft.rfft(frames_BFW * self.window, n=FFT_LENGTH))
        squares_BF2N = parts_BFN2.square().flatten(-2)  # flat, as steps of 2 run faster than sums of 2
        magnitude_BFN = (squares_BF2N[..., 0::2] + squares_BF2N[..., 1::2]).sqrt()
        return torch.cat([magnitude_BFN[..., bins] @ self.weights[bins, bands] for bins, bands in self._groups], dim=-1)


def frame_patches(log_mel_BFM: Tensor, patch_frames: int = PATCH_FRAMES, hop_frames: int = PATCH_FRAMES) -> Tensor:
    """Cut spectrograms into patches of `patch_frames`, one every `hop_frames`; a rest that fills no patch is dropped.

    Args:
        log_mel_BFM: [batch, frames, mel bands].

    Returns:
        A view [batch, patches, patch_frames, mel bands], patches = 1 + (frames - patch_frames) // hop_frames.

    Raises:
        ValueError: if there are fewer frames than a patch has. Pad the waveform with zeros to
            `samples_for_frames(patch_frames)` first: zeros in the log-mel domain are not silence.
    """
    frames = log_mel_BFM.shape[1]
    if frames < patch_frames:
        raise ValueError(
            f"{frames} frames are fewer than a patch of {patch_frames}: pad the waveform with zeros to "
            f"{samples_for_frames(patch_frames)} samples"
        )
    if hop_frames == patch_frames:  # the same, in operations that ONNX has for sounds of any length
        return log_mel_BFM[:, : frames // patch_frames * patch_frames].unflatten(1, (-1, patch_frames))
    return log_mel_BFM.unfold(1, patch_frames, hop_frames).transpose(2, 3)
