"""How the AudioSet reference front end cuts 16 kHz sound into frames; see `log_mel` for the source."""

from __future__ import annotations

WINDOW_LENGTH = 400
HOP_LENGTH = 160
PATCH_FRAMES = 96
"""Frames of one VGGish example: 0.96 s."""


def samples_for_frames(frames: int) -> int:
    """Min number of samples that give `frames` frames of log-mel."""
    return WINDOW_LENGTH + (frames - 1) * HOP_LENGTH


def frames_of_samples(samples: int) -> int:
    """Frames of log-mel that `samples` give."""
    return 1 + (samples - WINDOW_LENGTH) // HOP_LENGTH
