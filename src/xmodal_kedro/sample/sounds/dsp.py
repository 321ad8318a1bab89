"""Building blocks of the synthesisers: sounds are float64 arrays [samples] at `RATE`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy import fft, signal

from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

RATE = CLIP_SAMPLE_RATE_HZ
Sound = NDArray[np.float64]


def samples(seconds: float) -> int:
    """Number of samples in `seconds`."""
    return round(seconds * RATE)


def times(seconds: float) -> Sound:
    """Time of every sample, seconds."""
    return np.arange(samples(seconds)) / RATE


def noise(rng: Generator, count: int, slope: float = 0.0) -> Sound:
    """Gaussian noise of unit RMS whose power falls as 1 / f**slope: 0 is white, 1 pink, 2 brown."""
    padded = fft.next_fast_len(count, real=True)
    spectrum = fft.rfft(rng.standard_normal(padded))
    if slope:
        frequency = np.maximum(fft.rfftfreq(padded, 1 / RATE), 20.0)
        spectrum *= frequency ** (-slope / 2)
    shaped = fft.irfft(spectrum, padded)[:count]
    return shaped / max(float(np.sqrt(np.mean(shaped**2))), 1e-12)


def band(x: Sound, low_hz: float | None, high_hz: float | None, order: int = 2) -> Sound:
    """Butterworth band-pass; high-pass or low-pass if one edge is None."""
    if low_hz is None:
        sos = signal.butter(order, high_hz, "lowpass", fs=RATE, output="sos")
    elif high_hz is None:
        sos = signal.butter(order, low_hz, "highpass", fs=RATE, output="sos")
    else:
        sos = signal.butter(order, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    return signal.sosfilt(sos, x)


def resonate(x: Sound, frequencies_hz: ArrayLike, bandwidths_hz: ArrayLike, gains: ArrayLike) -> Sound:
    """Parallel two-pole resonators of unit peak gain: formants, or a resonating body."""
    out = np.zeros_like(x)
    for frequency, bandwidth, gain in np.stack([frequencies_hz, bandwidths_hz, gains], axis=1):
        radius = np.exp(-np.pi * bandwidth / RATE)
        angle = 2 * np.pi * frequency / RATE
        peak = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)
        out += gain * signal.lfilter([peak], [1, -2 * radius * np.cos(angle), radius**2], x)
    return out


def sweep(frequency_hz: Sound, phase: float = 0.0) -> Sound:
    """Sine of a frequency that varies from sample to sample."""
    return np.sin(2 * np.pi * (phase + np.cumsum(frequency_hz) / RATE))


def sawtooth(frequency_hz: Sound) -> Sound:
    """Band-limited sawtooth of varying frequency (PolyBLEP; Valimaki & Huovilainen 2007)."""
    step = frequency_hz / RATE
    phase = np.cumsum(step) % 1.0
    wave = 2 * phase - 1
    after, before = phase < step, phase > 1 - step
    t = phase[after] / step[after]
    wave[after] -= 2 * t - t**2 - 1
    t = (phase[before] - 1) / step[before]
    wave[before] -= t**2 + 2 * t + 1
    return wave


def pulses(frequency_hz: Sound, jitter: Sound | float = 0.0) -> Sound:
    """Unit impulses at a varying rate; `jitter` displaces the phase, in cycles."""
    phase = np.floor(np.cumsum(frequency_hz) / RATE + jitter)
    return np.maximum(np.diff(phase, prepend=phase[:1]), 0.0)


def glide(points: Sequence[tuple[float, float]], seconds: float) -> Sound:
    """Piecewise-linear curve over `seconds` through (position 0..1, value) points."""
    position, value = zip(*points, strict=True)
    return np.interp(np.linspace(0, 1, samples(seconds)), position, value)


def swell(seconds: float, attack_s: float, release_s: float) -> Sound:
    """Envelope that rises and falls along raised cosines, and is 1 between."""
    t = times(seconds)
    rise = np.clip(t / max(attack_s, 1e-4), 0, 1)
    fall = np.clip((seconds - t) / max(release_s, 1e-4), 0, 1)
    return np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2


def decay(seconds: float, time_constant_s: float) -> Sound:
    """Exponential decay with a 1 ms attack, so that it does not click."""
    t = times(seconds)
    return np.exp(-t / time_constant_s) * np.clip(t / 0.001, 0, 1)


def wander(rng: Generator, count: int, rate_hz: float) -> Sound:
    """Smooth random curve of about unit standard deviation that changes `rate_hz` times a second."""
    knots = int(np.ceil(count / RATE * rate_hz)) + 4
    position = np.linspace(0, knots - 1, count)
    left = np.minimum(position.astype(int), knots - 2)
    blend = (1 - np.cos(np.pi * (position - left))) / 2
    heights = rng.standard_normal(knots)
    return heights[left] * (1 - blend) + heights[left + 1] * blend


def place(out: Sound, event: Sound, at_s: float) -> None:
    """Add `event` to `out` from `at_s` on, truncated at the end of `out`."""
    start = samples(at_s)
    length = min(len(event), len(out) - start)
    if length > 0:
        out[start : start + length] += event[:length]


def onsets(rng: Generator, seconds: float, gap_s: tuple[float, float], first_s: tuple[float, float]) -> list[float]:
    """Start times of repeated events: the first within `first_s`, then after gaps drawn from `gap_s`."""
    time_s, times_s = float(rng.uniform(*first_s)), []
    while time_s < seconds:
        times_s.append(time_s)
        time_s += float(rng.uniform(*gap_s))
    return times_s


def clicks(rng: Generator, count: int, rate_hz: float, spread: float) -> Sound:
    """Poisson impulses, `rate_hz` per second, of random sign and log-normal size (`spread` is its sigma)."""
    train = np.zeros(count)
    where = rng.integers(0, count, rng.poisson(rate_hz * count / RATE))
    np.add.at(train, where, rng.lognormal(0, spread, len(where)) * rng.choice([-1.0, 1.0], len(where)))
    return train


def normalise(x: Sound) -> Sound:
    """Scale to unit peak; silence stays silence."""
    return x / max(float(np.abs(x).max(initial=0.0)), 1e-9)
