"""Audio fingerprints: the signs of energy differences over time and frequency, which survive another encoding.

After J. Haitsma, T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002, section 4: one 32-bit word per
hop, with the signs of energy differences between neighbouring bands and between instants. Three values differ from the
paper, for fewer bit errors in low-rate encodings of audio that is not music: bands are in 150-2000 Hz, instants are
96 ms apart, and hops are 24 ms. FFmpeg's Chromaprint does not suit: it folds energy to twelve notes, which rain or a
dog does not have, and PyAV's FFmpeg is built without it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

HOP_SAMPLES = 384
HOP_S = HOP_SAMPLES / CLIP_SAMPLE_RATE_HZ
"""Time between words, 24 ms."""
WINDOW_SAMPLES = 6144
"""Long windows, 384 ms, so that words hardly change if the hops of two encodings do not coincide (section 4.2)."""
LAG_HOPS = 4
BANDS = 33
MIN_HZ, MAX_HZ = 150.0, 2000.0
FLAT = 0
"""The word of an instant at which the energy does not change: silence, a test tone, a hum."""
MIN_MOTION = 1e-3
"""Median energy difference over mean energy of a band, below which an instant is flat. Recordings are around 0.2,
steady tones below 1e-5."""
ROUNDING_FLOOR = 2000.0
"""Added to the mean energy, in units of the energy of rounding to 16 bits: audio at that level is flat."""
WEAK_BITS = 3
BITS_OF_POSITION = 5


class Fingerprint(NamedTuple):
    """Words of a stretch of audio, one per hop.

    Attributes:
        first: time of the first word, in hops since the start of the video.
        words: uint32 [words]; `FLAT` where the energy does not change.
        weak_bits: uint16 [words]; positions of the three bits most likely to be wrong, 5 bits each.
    """

    first: int
    words: NDArray[np.uint32]
    weak_bits: NDArray[np.uint16]


def fingerprint_sound(audio: NDArray[np.int16], start_s: float) -> Fingerprint:
    """Fingerprint one stretch of a video's audio.

    Args:
        audio: int16 [samples], 16 kHz mono.
        start_s: its start in the video, seconds. Hops are counted from the video's start.
    """
    start = round(start_s * CLIP_SAMPLE_RATE_HZ)
    skipped = -start % HOP_SAMPLES
    first = (start + skipped) // HOP_SAMPLES + LAG_HOPS
    if audio.size - skipped < WINDOW_SAMPLES + LAG_HOPS * HOP_SAMPLES:
        return Fingerprint(first, np.empty(0, np.uint32), np.empty(0, np.uint16))
    energy_TB = band_energies(audio[skipped:])
    slope_TB = energy_TB[:, :-1] - energy_TB[:, 1:]
    motion_TB = slope_TB[LAG_HOPS:] - slope_TB[:-LAG_HOPS]
    words = _pack(motion_TB > 0)
    level_T = energy_TB[LAG_HOPS:].mean(1) + ROUNDING_FLOOR * _rounding_energy()
    words[np.median(np.abs(motion_TB), axis=1) < MIN_MOTION * level_T] = FLAT
    weakest = np.argsort(np.abs(motion_TB), axis=1, kind="stable")[:, :WEAK_BITS]
    positions = (weakest << (BITS_OF_POSITION * np.arange(WEAK_BITS))).sum(1).astype(np.uint16)
    return Fingerprint(first, words, positions)


def probes(words: NDArray[np.uint32], weak_bits: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Each word with all settings of its weak bits (section 5.2), so that copies with bit errors still share one.

    Returns:
        uint32 [words, 8]
    """
    weakest = (weak_bits[:, None] >> (BITS_OF_POSITION * np.arange(WEAK_BITS))) & (2**BITS_OF_POSITION - 1)
    masks = np.uint32(1) << (31 - weakest).astype(np.uint32)
    found = np.empty((words.size, 2**WEAK_BITS), np.uint32)
    found[:, 0] = words
    for bit in range(WEAK_BITS):
        found[:, 2**bit : 2 ** (bit + 1)] = found[:, : 2**bit] ^ masks[:, bit, None]
    return found


def band_energies(audio: NDArray[np.int16]) -> NDArray[np.float64]:
    """Energy of each hop's window in logarithmic bands: float64 [hops, bands]."""
    window, edges = _analysis()
    windows = np.lib.stride_tricks.sliding_window_view(audio, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = scipy.fft.rfft(windows * window, axis=1)[:, : edges[-1]]
    power = spectrum.real**2 + spectrum.imag**2
    return np.add.reduceat(power, edges[:-1], axis=1, dtype=np.float64)


@cache
def _analysis() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The Hann window and the FFT bins at which bands begin and the last ends."""
    window = scipy.signal.get_window("hann", WINDOW_SAMPLES).astype(np.float32)
    edges_hz = np.geomspace(MIN_HZ, MAX_HZ, BANDS + 1)
    return window, np.ceil(edges_hz * WINDOW_SAMPLES / CLIP_SAMPLE_RATE_HZ).astype(np.int64)


@cache
def _rounding_energy() -> float:
    """Mean energy per band of the error of rounding to integers, whose variance is 1/12."""
    window, edges = _analysis()
    return float((window**2).sum() / 12 * (edges[-1] - edges[0]) / BANDS)


def _pack(bits_TB: NDArray[np.bool_]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(np.packbits(bits_TB, axis=1)).view(">u4")[:, 0].astype(np.uint32)
