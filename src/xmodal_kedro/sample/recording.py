"""Simulated recording of a dry synthesised sound: a room, a distance, a microphone and its noise."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

from xmodal_kedro.sample.sounds.dsp import RATE, Sound, noise, samples


def record(rng: Generator, dry: Sound) -> Sound:
    """Record `dry` in a random room, at a random distance, with a random microphone.

    Args:
        dry: [samples] at 16 kHz, any level.

    Returns:
        [samples] of `loudness` 1.
    """
    reverberation_s = float(np.exp(rng.uniform(np.log(0.05), np.log(0.9))))
    response = noise(rng, samples(reverberation_s), slope=0.6)
    response *= np.exp(-6.9 * np.arange(len(response)) / len(response))
    distance = rng.uniform(0.0, 0.5)
    response *= distance / max(float(np.sqrt(np.sum(response**2))), 1e-9)
    response[0] += 1.0
    padded = fft.next_fast_len(len(dry) + len(response), real=True)
    colour = _microphone(rng, fft.rfftfreq(padded, 1 / RATE), distance)
    wet = fft.irfft(fft.rfft(dry, padded) * fft.rfft(response, padded) * colour, padded)[: len(dry)]
    return wet / loudness(wet)


def _microphone(rng: Generator, frequency_hz: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Gain over frequency: a tilt, two broad bells, a low cut, and the absorption of highs by air over distance."""
    octave = np.log2(np.maximum(frequency_hz, 20.0) / 1000.0)
    gain_db = rng.uniform(-1.2, 1.2) * octave - 6 * distance * np.maximum(octave, 0)
    for centre in rng.uniform(-3, 3, 2):
        gain_db += rng.uniform(-5, 5) * np.exp(-(((octave - centre) / 0.8) ** 2))
    low_cut = 1 / np.sqrt(1 + (rng.uniform(20, 90) / np.maximum(frequency_hz, 1.0)) ** 4)
    return 10 ** (gain_db / 20) * low_cut


def room_noise(rng: Generator, seconds: float) -> Sound:
    """Background noise of a room and of the device, unit RMS: coloured noise, sometimes with mains hum."""
    count = samples(seconds)
    floor = noise(rng, count, slope=rng.uniform(0.3, 1.6))
    if rng.random() < 0.3:
        mains_hz = rng.choice([50.0, 60.0])
        t = np.arange(count) / RATE
        floor += rng.uniform(0.1, 0.8) * sum(np.sin(2 * np.pi * mains_hz * k * t) / k for k in (1, 2, 3))
    return floor


def loudness(x: Sound) -> float:
    """RMS over the loudest twentieth of 50 ms frames, at least a quarter of the peak.

    By this measure, a bark and rain of equal loudness sound about equally loud, and nothing under -12 dBFS is clipped.
    """
    frame = samples(0.05)
    frames = np.sort(np.mean(x[: len(x) // frame * frame].reshape(-1, frame) ** 2, axis=1))
    rms = float(np.sqrt(np.mean(frames[-max(1, len(frames) // 20) :]))) if len(frames) else 0.0
    return max(rms, float(np.abs(x).max(initial=0.0)) / 4, 1e-9)


def to_pcm16(x: Sound) -> NDArray[np.int16]:
    """16-bit PCM of audio in [-1, 1]; samples outside are clipped."""
    return np.round(np.clip(x, -1, 1) * 32767).astype(np.int16)
