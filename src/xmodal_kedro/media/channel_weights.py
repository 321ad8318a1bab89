"""Weights with which channels become one, by how loud they are and whether they cancel each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xmodal_kedro.reasons import MediaError

AMBISONIC = "AMBI"
"""Channels of this name are spherical harmonics. The first, W, is the sound from all directions."""

AUDIO_STREAM = "stream "
"""Name of a mono track of a recorder, before its index."""

CANCELS = 0.35
"""Channels cancel each other if their mix has less than this fraction of the power that it would have if they were
independent of each other. Stereo of equal levels does at a correlation below -0.65."""

MIN_CHANGE = 10 ** (1.5 / 20)
"""Stereo is not scaled by less than this, so that its mix is the mean wherever both channels matter."""

FRONT, CENTRE, SURROUND = 0.5, math.sqrt(0.5), 0.5 * math.sqrt(0.5)
SPEAKER_WEIGHTS = {"FL": FRONT, "FR": FRONT, "FC": CENTRE, "LFE": 0.0, "LFE2": 0.0}


def speaker_weight(name: str) -> float:
    """Weight of a speaker in a mono mix: that of stereo by ITU-R BS.775-4, table 2, and then the mean."""
    return SPEAKER_WEIGHTS.get(name, SURROUND)


def channel_weights(
    layout: Sequence[str], covariance_CC: np.ndarray, loudest_C: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Weights of the channels, and notes.

    They are scaled so that the same sound in any of the channels has the level of the loudest of them.

    Args:
        layout: names of the channels; `NONE` where the speaker is not known.
        covariance_CC: mean products of their samples [channels, channels].
        loudest_C: largest magnitude of each channel's samples [channels].

    Raises:
        MediaError: `silent`, if only channels have sound that are not used.
    """
    powers_C = np.diag(covariance_CC)
    if len(layout) == 1:
        return np.ones(1), []
    if layout[0].startswith(AMBISONIC):
        return np.eye(len(layout))[0], ["ambisonic: W alone"]
    known = all(name != "NONE" and not name.startswith(AUDIO_STREAM) for name in layout)
    weights_C = np.array([speaker_weight(name) if known else 1.0 for name in layout])
    audible_C = loudest_C > 0
    notes = [f"{name} left out" for name, weight in zip(layout, weights_C, strict=True) if not weight]
    if not (weights_C * powers_C).any():
        if (audible_C & (weights_C == 0)).any():
            raise MediaError("silent", f"only its channel {notes[0].split()[0]} has sound: it is not used")
        return weights_C / weights_C.sum(), []
    usable_C = powers_C * (weights_C > 0)
    loudness_C = np.sqrt(powers_C / usable_C.max())
    change = weights_C.sum() / float(weights_C @ np.minimum(loudness_C, 1.0))
    if len(layout) == 2 and change < MIN_CHANGE:
        change = 1.0
    mixed_C = change * weights_C / weights_C.sum()
    independent = float(np.square(mixed_C) @ powers_C)
    if float(mixed_C @ covariance_CC @ mixed_C) < CANCELS * independent:
        best = int(np.argmax(usable_C >= usable_C.max() / 10 ** (1 / 10)))  # the first within 1 dB of the loudest
        return np.eye(len(layout))[best], [f"the others are out of phase with {_name(layout, best)}"]
    return mixed_C, notes


def _name(layout: Sequence[str], at: int) -> str:
    return layout[at] if layout[at] != "NONE" else f"c{at}"
