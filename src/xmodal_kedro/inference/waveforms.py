"""Waveforms as networks take them: checked, float32, at the network's sample rate."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.pcm import INT16_FULL_SCALE

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000
"""Of any recorder: a lower number is one of kilohertz. The filter of a resampler grows with the rate."""
MAX_PHASES = 4096
"""Of a filter that has one for each step of the ratio of two rates: 44,100 to 16,000 Hz has 441, and rates without a
common divisor have as many as the higher one, which takes gigabytes."""
PIECE_SAMPLES = 1 << 16
MAX_CHANNELS = 64
"""Of a recorder. A second axis that is longer is one of samples."""
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
    """The same sound at another rate, by a polyphase filter, in time and memory that do not depend on the rates."""
    if rate_hz == wanted_hz:
        return audio_T
    from scipy.signal import resample_poly  # takes half a second, which sound at the network's rate need not

    common = math.gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // common, rate_hz // common
    if max(up, down) > MAX_PHASES:
        return _interpolated(audio_T, rate_hz, wanted_hz)
    return np.asarray(resample_poly(audio_T, up, down), np.float32)


def _interpolated(audio_T: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    """As `resampled`, by FFmpeg, which interpolates between the phases of a filter of bounded size."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted_hz)
    frames = []
    for start in range(0, len(audio_T), PIECE_SAMPLES):
        piece_1T = np.ascontiguousarray(audio_T[None, start : start + PIECE_SAMPLES])
        frame = av.AudioFrame.from_ndarray(piece_1T, format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), start
        frames += resampler.resample(frame)
    frames += resampler.resample(None)
    made_T = np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])
    wanted = -(-len(audio_T) * wanted_hz // rate_hz)  # rounded up, as by the other way
    return np.pad(made_T[:wanted], (0, max(0, wanted - len(made_T))))


def checked_waveform(audio: Any, position: int) -> NDArray[np.float32]:
    """A waveform as float32 [samples], mono.

    Integers of 8, 16 or 32 bits are divided by their full scale. Channels are mixed down as those of files are: equal
    sound keeps its level, and of channels that cancel each other the louder one is used.

    Args:
        audio: array or list of samples, [samples] or [samples, channels], floats in [-1, 1] or such integers.
        position: by which an error names it.

    Raises:
        UserError: if it is no such waveform; says why, and what to do.
    """
    try:
        array = np.asarray(audio)
        audio_T = _as_floats(array if hasattr(audio, "dtype") else np.asarray(audio, np.float32), position)
    except (TypeError, ValueError, RuntimeError) as error:  # the last is of tensors with a gradient
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"sound {position} is not a row of numbers: give one waveform for each sound, a tensor as "
            "`tensor.detach().cpu().float()`"
        ) from error
    if not audio_T.size:
        raise UserError(f"sound {position} is empty: leave it out")
    if not np.isfinite(audio_T).all():
        raise UserError(f"sound {position} has samples that are not finite: replace them or leave it out")
    if np.abs(audio_T).max() > MAX_AMPLITUDE:
        raise UserError(f"sound {position} is not in [-1, 1]: divide integers by their full scale")
    return _mono(audio_T, position)


def _as_floats(audio: NDArray[Any], position: int) -> NDArray[np.float32]:
    """Samples as float32, integers by their full scale."""
    audio = audio.astype(audio.dtype.newbyteorder("="), copy=False)
    if audio.dtype == np.uint8:  # 8-bit WAV, whose silence is 128
        return (audio.astype(np.float32) - 128) / np.float32(128)
    if audio.dtype in (np.int8, np.int16, np.int32):
        full_scale = float(2 ** (8 * audio.dtype.itemsize - 1))
        return (audio / full_scale).astype(np.float32)
    if audio.dtype.kind in "biuc":
        remedy = "give its real part" if audio.dtype.kind == "c" else "divide it by the full scale of its integers"
        raise UserError(
            f"sound {position} has samples of type {audio.dtype}, give floats in [-1, 1], or integers of 8, 16 or 32 "
            f"bits: {remedy}"
        )
    return audio.astype(np.float32)


def _mono(audio: NDArray[np.float32], position: int) -> NDArray[np.float32]:
    """One channel [samples] from [samples] or [samples, channels]."""
    if audio.ndim == 1:
        return audio
    if audio.ndim != 2 or audio.shape[1] > MAX_CHANNELS:
        turned = ", such as its transpose" if audio.ndim == 2 and audio.shape[0] <= MAX_CHANNELS else ""
        raise UserError(
            f"sound {position} has the shape {list(audio.shape)}: give [samples], or [samples, channels] as "
            f"soundfile.read returns it{turned}"
        )
    from xmodal_kedro.media.channel_weights import channel_weights

    channels = audio.shape[1]
    exact = audio.astype(np.float64)
    layout = ("FL", "FR") if channels == 2 else ("NONE",) * channels
    weights_C, _ = channel_weights(layout, exact.T @ exact / len(exact), np.abs(exact).max(0))
    return np.asarray(exact @ weights_C, np.float32)
