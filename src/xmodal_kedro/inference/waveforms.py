"""Waveforms as networks take them: checked, float32, at the network's sample rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from xmodal_kedro.errors import UserError
from xmodal_kedro.pcm import INT16_FULL_SCALE

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000
"""Of any recorder: a lower number is one of kilohertz. The filter of a resampler grows with the rate."""
MAX_AMPLITUDE = 4.0
"""Lossy decoders overshoot 1 by a little; integers that were never divided exceed it by thousands."""


def from_int16(audio_T: NDArray[np.int16]) -> NDArray[np.float32]:
    """Stored samples as float32 in [-1, 1)."""
    return audio_T.astype(np.float32) / np.float32(INT16_FULL_SCALE)


def checked_rate(rate: Any) -> int:
    """A sample rate in Hz, which may come as a float of a whole number.

    Raises:
        UserError: if it is no whole number within the limits of any recorder.
    """
    is_number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    if not is_number or not MIN_RATE_HZ <= rate <= MAX_RATE_HZ or rate != int(rate):
        raise UserError(f"the sample rate is {rate!r}: give the samples per second of the sounds, such as 16000")
    return int(rate)


def resampled(audio_T: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    """The same sound at another rate, by a polyphase filter."""
    if rate_hz == wanted_hz:
        return audio_T
    common = math.gcd(rate_hz, wanted_hz)
    return np.asarray(resample_poly(audio_T, wanted_hz // common, rate_hz // common), np.float32)


def checked_waveform(audio: Any, position: int) -> NDArray[np.float32]:
    """A waveform as float32 [samples].

    Args:
        audio: array or list of floats in [-1, 1], mono.
        position: by which an error names it.

    Raises:
        UserError: if it is no such waveform; says why, and what to do.
    """
    kind = np.asarray(audio).dtype.kind if hasattr(audio, "dtype") else "f"
    if kind in "iuc":  # of arrays alone: a list of whole numbers is what JSON makes of 0.0
        remedy = "give its real part" if kind == "c" else "divide it by the full scale of its integers"
        raise UserError(f"sound {position} has samples of type {audio.dtype}, give floats in [-1, 1]: {remedy}")
    try:
        audio_T = np.asarray(audio, np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"sound {position} is not a row of numbers: give one waveform for each sound") from error
    if audio_T.ndim != 1:
        raise UserError(f"sound {position} has {audio_T.ndim} dimensions: mix its channels to one, give 1-D waveforms")
    if len(audio_T) == 0:
        raise UserError(f"sound {position} is empty: leave it out")
    if not np.isfinite(audio_T).all():
        raise UserError(f"sound {position} has samples that are not finite: replace them or leave it out")
    if np.abs(audio_T).max() > MAX_AMPLITUDE:
        raise UserError(f"sound {position} is not in [-1, 1]: divide integers by their full scale")
    return audio_T
